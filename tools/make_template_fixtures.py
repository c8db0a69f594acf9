#!/usr/bin/env python3
"""Writes tests/fixtures/tasks/templates.json: chat templates, conversations, and what jinja2 makes of them.

Usage: make_template_fixtures.py OUT.json          (needs jinja2 3.1)

The environment is set up as transformers sets it up for apply_chat_template. The family templates below are written for this
project with the constructs that the published ones use; smollm2 is that model's own (Apache-2.0)."""
import json, random, sys
import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _body(self, context, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception


def render(template, messages, prompt):
    try:
        return env.from_string(template).render(messages=messages, tools=None, documents=None, add_generation_prompt=prompt)
    except Exception:
        return None


BOS = "{%+ set bos_token = '<s>' +%}{%+ set eos_token = '</s>' +%}"
FAMILIES = {
    "smollm2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}""",
    "chatml": r"""{%- for m in messages %}
    {{- '<|im_start|>' ~ m.role ~ '\n' ~ m.content | trim ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
""",
    "llama2": r"""{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}
{%- else %}{% set rest = messages %}{% set system = false %}{% endif %}
{% for m in rest %}
    {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate: user, assistant, ...') }}{% endif %}
    {%- set text = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m['content'] if loop.index0 == 0 and system != false else m['content'] %}
    {%- if m['role'] == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}
    {%- elif m['role'] == 'assistant' %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}
{%- endfor %}""",
    "llama3": r"""{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}{{- "Environment: ipython\n" }}{%- endif %}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\n\n" }}
        {%- if message.content is mapping or message.content is not string %}{{- message.content | tojson }}
        {%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}
""",
    "qwen3": r"""{%- if tools %}{{- tools|tojson }}{%- endif %}
{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}{%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or (not loop.last and reasoning)) %}
            {{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}{%- for call in message.tool_calls %}{{- call.name }}{%- endfor %}{%- endif %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\n<tool_response>\n' + content + '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}""",
    "mistral": r"""{%- if messages[0]["role"] == "system" %}{%- set system_message = messages[0]["content"] %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set loop_messages = messages %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}{{- raise_exception("user and assistant must take turns") }}{%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}{{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}{{- "[INST] " + message["content"] + "[/INST]" }}{%- endif %}
    {%- elif message["role"] == "assistant" %}{{- " " + message["content"]|trim + eos_token }}
    {%- else %}{{- raise_exception("no such role: " + message['role']) }}{%- endif %}
{%- endfor %}{{ user_messages|length }}
""",
    "zephyr": r"""{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "gemma": r"""{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('there is no system role') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('user and assistant must take turns') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}""",
    "phi": r"""{% for message in messages %}{% if message['role'] in ['system', 'user'] %}{{ '<|' ~ message['role'] ~ '|>\n' ~ message['content'] ~ '<|end|>\n' }}{% elif message['role'] == 'assistant' %}{{ '<|assistant|>\n' }}{% generation %}{{ message['content'] }}{{ '<|end|>\n' }}{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}""",
    "macros": r"""{%- macro turn(role, content, end='<end>') -%}
<{{ role|upper }}>{{ content|trim }}{{ end }}
{%- endmacro -%}
{%- for m in messages -%}
    {{- turn(m.role, m.content) if not loop.last else turn(m.role, content=m.content, end='<last>') }}
{% endfor -%}
{% set note %}
  {{ messages|map(attribute='role')|unique|join(', ') }}
{% endset %}[{{ note|trim }}]
""",
}
CONSTRUCTS = r'''
{{ 1+2*3 }}|{{ 7//2 }}|{{ -7//2 }}|{{ -7%3 }}|{{ 7/2 }}|{{ 2**10 }}|{{ 2**-1 }}|{{ 1.5+1 }}|{{ 1e20 }}|{{ 1e16 }}|{{ 1e15 }}|{{ 0.0001 }}|{{ 0.00001 }}|{{ 100.0 }}|{{ 3.0*2 }}|{{ 1/3 }}|{{ 10%3.5 }}
{{ 'a' ~ 1 ~ none ~ true }}|{{ 'a' * 3 }}|{{ [1]*3 }}|{{ 3 * 'ab' }}|{{ 'a' 'b' }}
{{ [1,2,3] }}{{ (1,2) }}{{ (1,) }}{{ () }}{{ {'a':1,'b':[1,'x']} }}{{ 'it\'s' }}{{ ["it's", 'say "x"', 'both \' "', 'tab\t\n\\', 'é\x00\u200b'] }}
{{ none }}{{ true }}{{ False }}{{ None }}{{ undefinedvar }}|{{ undefinedvar is defined }}|{{ messages is defined }}|{{ tools is none }}|{{ tools is defined }}
{{ 1 < 2 < 3 }}{{ 1 < 2 > 3 }}{{ 'a' < 'b' }}{{ [1,2] < [1,3] }}{{ 1 == 1.0 }}{{ true == 1 }}{{ 'a' == 1 }}{{ none == false }}
{{ 'a' in 'abc' }}{{ 'x' not in 'abc' }}{{ 1 in [1,2] }}{{ 'k' in {'k':1} }}{{ 1 in (1,2) }}{{ 'a' in [] }}{{ not 'a' in 'b' }}
{{ 'yes' if messages else 'no' }}|{{ 'yes' if false }}|{{ 1 if false else 2 if false else 3 }}
{{ messages[0].role }}{{ messages[0]['role'] }}{{ messages[-1].content }}{{ messages|length }}{{ messages[99] }}{{ messages[99] is defined }}
{{ 'hello'[1:3] }}|{{ 'hello'[::-1] }}|{{ 'hello'[-3:] }}|{{ 'hello'[::2] }}|{{ 'hello'[3:1] }}|{{ 'hello'[10:] }}|{{ 'héllo'[1] }}|{{ [1,2,3,4][::-2] }}|{{ [1,2,3][-1:] }}|{{ 'hello'[4:1:-1] }}|{{ (1,2,3)[1:] }}|{{ 'hello'[-100:2] }}
{% for x in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.cycle('a','b') }};{% endfor %}
{% for x in [] %}a{% else %}empty{% endfor %}|{% for x in undefinedvar %}a{% else %}empty{% endfor %}
{% for k, v in {'a':1,'b':2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'a':1} %}{{ k }}{% endfor %}{% for c in 'añ日' %}[{{ c }}]{% endfor %}
{% for x in [1,2,3,4,5,6] if x % 2 == 0 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}
{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% set ns = namespace(a=1, b='x') %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}{{ ns['a'] }}
{% set x = 1 %}{% for i in range(2) %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% set d = (3, 4) %}{{ d[1] }}
{% set x %}block {{ 1 }} text {% endset %}[{{ x }}]{% set y | trim | upper %}  abc {% endset %}[{{ y }}]
{% macro m(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(1, c=5) }}|{{ m(b=1, a=0) }}|{{ m() }}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(5) }}{% set z = f(2) %}[{{ z|length }}]
{% filter upper %}abc {{ 'd' }}{% endfilter %}|{% raw %}{{ not }} {% if %}{% endraw %}|{# comment #}x
{% generation %}gen {% set q = 1 %}{{ q }}{% endgeneration %}{{ q }}
{{ '  a b '.strip() }}|{{ '  a'.lstrip() }}|{{ 'a  '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abc'.lstrip('ba') }}|{{ '\n\u3000a\u00a0'.strip() }}
{{ 'a,b,,c'.split(',') }}{{ ' a  b c '.split() }}{{ 'a b c'.split(' ', 1) }}{{ ' a  b c '.split(None, 1) }}{{ 'a--b--'.split('--') }}{{ ''.split(',') }}{{ ''.split() }}{{ 'a,b,c'.rsplit(',', 1) }}{{ 'abc'.split('x')[-1] }}{{ 'a,b,c'.split(',',0) }}
{{ 'a\nb\r\nc\n'.splitlines() }}{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x','bc')) }}{{ 'abc'.startswith('') }}
{{ 'aXb'.upper() }}{{ 'aXb'.lower() }}{{ 'hello wORLD it\'s'.title() }}{{ 'hELLO wORLD'.capitalize() }}{{ 'straße'.upper() }}{{ 'ÀÉ'.lower() }}{{ 'ñandú élan'.title() }}
{{ 'aaa'.replace('a','b') }}{{ 'aaa'.replace('a','b',2) }}{{ 'abc'.replace('','-') }}{{ 'aXbX'.replace('X','') }}{{ 'abc'|replace('b','xx') }}{{ 'aaa'|replace('a','b',1) }}
{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'abc'.find('z') }}{{ 'ñbc'.find('c') }}{{ 'aaaa'.count('aa') }}{{ 'abc'.index('b') }}{{ '-'.join(['a','b']) }}{{ '12'.isdigit() }}{{ ''.isdigit() }}{{ 'ab1'.isalpha() }}{{ ' \t'.isspace() }}{{ 'AB'.isupper() }}{{ 'a1'.islower() }}{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('bc') }}
{{ {'a':1}.get('a') }}{{ {'a':1}.get('b') }}{{ {'a':1}.get('b', 5) }}{{ {'a':1,'b':2}.keys()|list }}{{ {'a':1}.values()|list }}{{ {'a':1}.items()|list }}{{ [1,2,1].count(1) }}{{ [1,2].index(2) }}
{{ '  x '|trim }}|{{ 'xax'|trim('x') }}|{{ [1,2,3]|length }}{{ 'añ'|length }}{{ {'a':1}|length }}{{ [1,2]|join('-') }}{{ ['a','b']|join }}{{ messages|join(', ', attribute='role') }}
{{ 'AbC'|upper }}{{ 'AbC'|lower }}{{ 'abc def-ghi (jkl'|title }}{{ 'aBC'|capitalize }}{{ 5|string ~ 'x' }}{{ '5'|int + 1 }}{{ 'x'|int }}{{ 'x'|int(7) }}{{ 3.9|int }}{{ '3.7'|int }}{{ '2.5'|float }}{{ 'x'|float }}{{ 5|float }}
{{ undefinedvar|default('d') }}{{ ''|default('d') }}{{ ''|default('d', true) }}{{ none|default('d') }}{{ none|default('d', boolean=True) }}{{ undefinedvar|d }}
{{ [3,1,2]|first }}{{ [3,1,2]|last }}{{ 'abc'|first }}{{ 'abc'|last }}{{ []|first }}{{ 'abc'|list }}{{ (1,2)|list }}{{ [3,1,2]|sort }}{{ ['b','A','c']|sort }}{{ ['b','A']|sort(case_sensitive=true) }}{{ [1,2]|reverse|list }}{{ 'abc'|reverse }}{{ [1,1,2]|unique|list }}{{ [3,1]|min }}{{ [3,1]|max }}{{ [1,2]|sum }}{{ -3|abs }}{{ (-3)|abs }}{{ 2.567|round(1) }}{{ 2.5|round }}{{ 3|round }}{{ 2.1|round(0,'ceil') }}
{{ {'a':1,'b':[1,2,{'c':none}],'s':'q"\\\n\u2028é\u007f','t':true,'f':1.5}|tojson }}{{ [1,'a']|tojson(indent=2) }}{{ {'a':{'b':1}}|tojson(indent=4) }}{{ {}|tojson(indent=2) }}{{ []|tojson }}{{ 'é😀\u007f'|tojson(ensure_ascii=true) }}{{ {'b':1,'a':2}|tojson(sort_keys=true) }}{{ [1,{'a':2}]|tojson(separators=(',',':')) }}{{ {1:2, true:3, none:4}|tojson }}{{ messages|tojson }}
{{ messages|map(attribute='role')|list }}{{ messages|map(attribute='x', default='-')|list }}{{ ['a','b']|map('upper')|join }}{{ messages|selectattr('role','equalto','user')|list|length }}{{ messages|rejectattr('role','==','user')|map(attribute='content')|join(',') }}{{ [1,0,2]|select|list }}{{ [1,2,3,4]|select('even')|list }}{{ [1,2,3]|reject('odd')|list }}{{ messages|selectattr('nope')|list }}{{ messages|selectattr('content','defined')|list|length }}{{ [1,2]|map('string')|list }}{{ ['a']|map('replace','a','b')|list }}
{{ {'b':2,'a':1}|dictsort }}{{ {'b':2}|items|list }}{{ undefinedvar|items|list }}{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb\n'|indent(2, blank=true) }}
{{ 5 is odd }}{{ 4 is even }}{{ 6 is divisibleby 3 }}{{ 6 is divisibleby(4) }}{{ 'a' is string }}{{ 1 is number }}{{ 1.5 is float }}{{ 1 is integer }}{{ true is integer }}{{ true is number }}{{ true is boolean }}{{ [] is iterable }}{{ 'a' is iterable }}{{ 1 is iterable }}{{ {} is mapping }}{{ [] is mapping }}{{ [] is sequence }}{{ {} is sequence }}{{ undefinedvar is sequence }}{{ undefinedvar is iterable }}{{ 'abc' is lower }}{{ 'ABC' is upper }}{{ 1 is eq 1 }}{{ 1 is sameas 1 }}{{ 1 is in [1] }}{{ none is not none }}{{ range is callable }}{{ 1 is true }}{{ true is true }}{{ 2 is gt 1 }}{{ 1 is undefined }}
{{ messages[0].nope.foo }}
{{ undefinedvar + 1 }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ none + 1 }}
{{ undefinedvar.foo }}
{{ none.foo }}|{{ none['x'] }}|{{ (1).foo }}
{{ nofunc() }}
{{ 'a'.nomethod() }}
{{ 1 / 0 }}
{% for a, b in [1] %}{% endfor %}
{% for a in none %}{% endfor %}
{% for a in 5 %}{% endfor %}
{{ 1 < 'a' }}
{{ raise_exception('boo ' ~ 1) }}
{{ 'abc'|nofilter }}
{{ 1 is notest }}
{% if x %}
{% endif %}
{{ x
{{ 'abc }}
{% for x in y %}
{{ (1 }}
{{ [1,2 }}
{% unknown %}
{% set messages.foo = 1 %}
{{ messages.append(1) }}
{{ {'a':1}.update({'b':2}) }}
{{ [1,2][5].x }}
{{ "a\x41\u00e9\101\q\
b" }}
{{ 0x1F }}{{ 0b11 }}{{ 0o17 }}{{ 1_000 }}{{ 1.5e3 }}{{ 1E-5 }}
{{ messages[0].content.strip().split()[0] if messages[0].content else 'none' }}
{{ not true or true and false }}{{ 1 or 2 }}{{ 0 or '' or 'z' }}{{ 1 and 2 }}{{ (1 or 0) and 5 }}
{{ {'a': {'b': {'c': 5}}}.a.b.c }}{{ {'a-b': 1}['a-b'] }}{{ dict(a=1, b=2) }}{{ dict({'x':1}, y=2) }}
{{ - 5 }}{{ +5 }}{{ -5|abs }}{{ 2 - -2 }}{{ -2**2 }}{{ 2**3**2 }}
{{ range(3)|list }}{{ range(1,4)|list }}{{ range(5,0,-2)|list }}{{ (range(3)|list)[-1] }}
{{ "a" if 1 else "b" ~ "c" }}{{ 1 ~ 2 + 3 }}{{ 'x' ~ 2 * 3 }}{{ 1 + 2 ~ 3 }}
{{ 'a' is string and 'b' is string }}{{ x is not defined or x == 1 }}{{ 'x' if y is defined else 'z' }}{{ 3 is odd == true }}
{{ messages | length > 1 }}{{ messages|length + 1 }}{{ (messages|first).role }}{{ messages[0]|length }}
{% if messages[0].role == 'user' -%}   A   {%- elif messages|length > 3 %} B {% else -%} C {%- endif %} D
   {% if true %}
  x
   {% endif %}
y
{{- ' a ' -}}   b   {{- 'c' }}
a {%- if true %} b {% endif -%}  c
a
  {#- comment -#}
b   {# c #}
  {# full line #}
z
{%+ if true %} q {%+ endif +%}
 r
{% if true +%}
keep
{% endif %}
{{ 'x' }}
{{ 'y' }}

{% set x = [1,
 2, {'a':
 3}] %}{{ x }}
{{ {'a': {}} }}{{ {'a':{'b':{}}} }}
{{ 'a{{b}}' }}{{ '%}' }}{{ "{%" }}
{{ loop is defined }}{% for i in [1] %}{{ loop is defined }}{% for j in [1,2] %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}
{{ ns is defined }}{{ (namespace()) is defined }}{{ 'a'|string|upper|lower }}
{% for m in messages[1:] %}{{ m.role }}{% endfor %}{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.role }}{% endfor %}{% for m in messages|selectattr('role','ne','system') %}{{ m.role }}{% endfor %}
{% for m in messages %}{% if not loop.last and loop.nextitem.role == 'assistant' %}N{% endif %}{% if loop.previtem and loop.previtem.role == 'user' %}P{% endif %}{% endfor %}
{{ messages[0].content is string }}{{ messages[0] is mapping }}{{ messages is iterable and messages is not mapping }}
{{ 1 if }}
{{ }}
{% if %}a{% endif %}
{{ 'a' if 'b' in ['b'] else 'c' }}{{ ('a', 'b')[1] }}{{ 'a', 'b' }}
{% set a = b = 1 %}
{{ messages.0.role }}{{ [[1,2],[3]].1.0 }}
{{ true and none }}{{ false or none }}{{ [] or {} }}{{ '' ~ [] }}
{% for i in [1,2] %}{{ i }}{{ "," if not loop.last }}{% endfor %}
{% endfor %}
{% else %}
{% if a %}{% endfor %}
{{ 'a'|upper()|lower() }}{{ 'x'|default }}{{ [1,2,3]|join(d='+') }}
{% macro outer() %}{% set inner = 5 %}{{ inner }}{% endmacro %}{{ outer() }}{{ inner }}
{% set g = 'G' %}{% macro usesg() %}{{ g }}{% endmacro %}{{ usesg() }}{% set g = 'H' %}{{ usesg() }}
{% for x in [1,2] %}{% set y = x %}{% endfor %}{{ y }}
{% for x in [[1,2],[3,4]] %}{% for a, b in [x] %}{{ a }}{{ b }}{% endfor %}{% endfor %}
'''.strip("\n")


def turn(role):
    return lambda content: {"role": role, "content": content}


U, A, S = turn("user"), turn("assistant"), turn("system")
CONVERSATIONS = [
    [U("Hi")], [S("Be brief."), U("Hi")], [U("Hi"), A("Hello!"), U("How are you?")], [U("")], [S(""), U(""), A("")], [A("first")],
    [U("a"), U("b")], [], [S(" Sys \n"), U("  a\n\nb  "), A(" ok \n"), U("\u00dcn\u00efc\u00f6d\u00e9 \u65e5\u672c\u8a9e \U0001f469\u200d\U0001f467")],
    [U("q"), A("<think>\nreason\n</think>\n\nanswer"), U("next"), A("<think>x</think>y")], [U("x"), {"role": "tool", "content": "r"}, A("y")],
    [U("it's \"quoted\" \\ {{ x }} {% y %}")], [U("\u00a0nbsp\u3000"), A("\tTabs\r\n")], [S("s"), U("1"), A("2"), U("3"), A("4"), U("5")],
]
PAIR = [CONVERSATIONS[8], CONVERSATIONS[0]]
PIECES = [" ", "\n", "  \n", "\t", "a", "{{ 'x' }}", "{{- 'x' }}", "{{ 'x' -}}", "{{- 'y' -}}", "{% if true %}", "{%- if true %}",
          "{% if true -%}", "{%- if true -%}", "{%+ if true +%}", "{# c #}", "{#- c -#}", "{#- c #}", "{# c -#}", "{#+ c +#}", "\r\n",
          "{% set a = 1 %}", "{%- set a = 1 -%}", "{% raw %} {{ }} {% endraw %}", "{%- raw -%} q {%- endraw -%}", "{% for i in [1,2] %}",
          "{%- for i in [1,2] -%}", "\u3000", "{{ '\n' }}"]


def white_space(random):
    """A template that is mostly tags and blanks: what the lexer strips, and what it keeps."""
    text, open_tags = "", []
    for _ in range(random.randint(1, 14)):
        piece = random.choice(PIECES)
        open_tags += ["endif"] * ("if true" in piece) + ["endfor"] * ("for i" in piece)
        text += piece
        if open_tags and random.random() < .3:
            text += random.choice(["{%% %s %%}", "{%%- %s %%}", "{%% %s -%%}", "{%%- %s -%%}"]) % open_tags.pop()
    while open_tags:
        text += random.choice(["{%% %s %%}", "{%%- %s %%}", "{%% %s -%%}", "\n {%%- %s -%%} "]) % open_tags.pop()
    return text


def main():
    cases = []
    for name, template in FAMILIES.items():
        for messages in CONVERSATIONS:
            for prompt in (False, True):
                cases.append((name, BOS + template, messages, prompt))
    for line in CONSTRUCTS.split("\n"):
        cases += [("construct", line, messages, True) for messages in PAIR]
    cases.append(("constructs", "\n".join(l for l in CONSTRUCTS.split("\n") if render(l, PAIR[0], True) is not None), PAIR[0], True))
    rng = random.Random(7)
    cases += [("white space", white_space(rng), [], False) for _ in range(400)]
    templates = list(dict.fromkeys(c[1] for c in cases))
    out = {"templates": templates, "cases": [{"name": n, "template": templates.index(t), "messages": m, "prompt": p, "text": render(t, m, p)}
                                             for n, t, m, p in cases]}
    with open(sys.argv[1], "w") as f:
        json.dump(out, f, separators=(",", ":"), ensure_ascii=False)
        f.write("\n")


main()
