/* plain_chat.c - see plain_chat.h. */
#include "plain_chat.h"

const char plain_chat_template[] = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
                                   "{% if add_generation_prompt %}assistant:{% endif %}";
const char plain_chat_stop[] = "\nuser:";
