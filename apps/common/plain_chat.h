/* plain_chat.h - a conversation for models that come without a chat template: "user: ..." and "assistant:" line by line. */
#ifndef TRINE_APP_PLAIN_CHAT_H
#define TRINE_APP_PLAIN_CHAT_H

extern const char plain_chat_template[]; /* Jinja */
extern const char plain_chat_stop[];     /* where an answer would go on with the next question */

#endif
