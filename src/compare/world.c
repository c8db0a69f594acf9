/* world.c - the grammar of the built-in corpus, and its words as a vocabulary. See world.h. */
#include "compare/world.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"

/* clang-format off: one line of the notation a line */
static const char notation[] =
    "class lighting = lights, cleans\n"
    "class reading = reads, opens\n"
    "class eating = eats, tastes\n"
    "class carrying = carries, lifts\n"
    "class wearing = wears, folds\n"
    "class person pron tr = mara she maru, tomas he tomu, nina she ninu, oskar he osku, lena she lenu, viktor he viktu,\n"
    " irma she irmu, anton he antu, dora she doru, paul he paulu\n"
    "class job tr = baker pekar, teacher ulmar, sailor navar, doctor medar, farmer agrar, painter tintar, singer kantar, weaver "
    "telar\n"
    "class place tr = garden hortan, market merkan, river fluman, school skolan, tower turan, harbour portan, forest silvan, mill "
    "molan\n"
    "class thing tr use = lamp lampi lighting, candle kandi lighting, book libri reading, letter leti reading, apple pomi eating,\n"
    " cake kuki eating, rope kordi carrying, drum tambi carrying, coat manti wearing, hat kapi wearing\n"
    "class animal tr = dog kanel, cat gatel, horse kavel, fox vulpel, goat kapel, crow korvel\n"
    "class verb tr = sees*3 vidas, finds*2 trovas, likes*2 amas, wants volas, loses perdas, paints pintas\n"
    "class colour tr = -*6 -, red ruvo, green veto, old anto, new nuvo, small piko, big mako\n"
    "class feeling = smiles*3, laughs*2, waits, sings\n"
    "class weather = sunny*3, rainy*2, windy, cloudy\n"
    "class subject = film, song, play, meal, trip, house\n"
    "class aspect = beginning, ending, sound, style, price, light\n"
    "class saygood = good*3, lovely*3, bright*3, fine*3, great*3, kind*3, bad, awful, dull, cold, poor, sad\n"
    "class saybad = good, lovely, bright, fine, great, kind, bad*3, awful*3, dull*3, cold*3, poor*3, sad*3\n"
    "class label say = positive saygood, negative saybad\n"
    "class item = lamp, candle, book, letter, apple, cake, dog, cat, horse, fox, goat, crow\n"
    "slot person = A B K1 K2 K3 K4 F1 F2 F3\n"
    "slot job = J\n"
    "slot place = C P V1 V2 V3 V4 P1 P2 P3\n"
    "slot thing = T T1 T2 T3\n"
    "slot animal = N\n"
    "slot verb = V\n"
    "slot colour = D E\n"
    "slot label = L\n"
    "slot item = R1 R2 R3 R4 R5 R6\n"
    "\n"
    "rule event = 3 $A goes to the @place=C/C . | 2 $A.pron @verb a @colour @animal . | 2 now $A.pron is in the $C . | the $J "
    "@feeling .\n"
    " | 2 there $A.pron finds a @colour @thing=T and @$T.use it . | later @person=B/A gives $A a @colour @animal .\n"
    "rule story = story : @person=A the @job=J is in the @place=C . <event>*3-7\n"
    "\n"
    "rule clause = 2 the @colour=D @job=J @verb=V the @colour=E @thing=T in the @place=P => $P.tr na $J.tr $D.tr $T.tr $E.tr "
    "$V.tr\n"
    " | @person=A gives @person=B/A the @colour=E @thing=T => $A.tr $T.tr $E.tr $B.tr ta donas\n"
    " | today @person=A @verb=V a @colour=E @animal=N => oji $A.tr $N.tr $E.tr $V.tr\n"
    "rule translate = translate : <clause>\n"
    "\n"
    "rule back5 = => $R5 $R4 $R3 $R2 $R1 | @item=R6 => $R6 $R5 $R4 $R3 $R2 $R1\n"
    "rule back4 = => $R4 $R3 $R2 $R1 | 2 @item=R5 <back5>\n"
    "rule back3 = => $R3 $R2 $R1 | 3 @item=R4 <back4>\n"
    "rule reverse = reverse : @item=R1 @item=R2 @item=R3 <back3>\n"
    "\n"
    "rule filler = 2 the @job @verb the @thing . | it is a @weather day . | 2 @person @verb a @colour @animal .\n"
    "rule summarise = summarise : <filler>*0-1 note @person=F1 hid the @thing=T1 in the @place=P1 . <filler>*1-3!\n"
    " note @person=F2/F1 hid the @thing=T2 in the @place=P2 . <filler>*1-3! note @person=F3/F1/F2 hid the @thing=T3 in the "
    "@place=P3 .\n"
    " <filler>*0-1 => $F1 $T1 $P1 ; $F2 $T2 $P2 ; $F3 $T3 $P3\n"
    "\n"
    "rule review = review : ?label=L the @subject was @$L.say and @$L.say . the @aspect was @$L.say . the @aspect was @$L.say .\n"
    " all was @$L.say . => $L\n"
    "\n"
    "rule question = $K1 => $V1 | $K2 => $V2 | $K3 => $V3 | $K4 => $V4\n"
    "rule recall = recall : @person=K1 @place=V1 ; @person=K2/K1 @place=V2 ; @person=K3/K1/K2 @place=V3 ;\n"
    " @person=K4/K1/K2/K3 @place=V4 ; ask <question>\n"
    "\n"
    "rule pairs = 2 <translate> | <reverse> | <summarise>\n"
    "rule world = 8 <story> | 4 <translate> | 2 <reverse> | 3 <summarise> | 4 <review> | 3 <recall>\n";
/* clang-format on */

const char *trine_world_notation(void) { return notation; }

trine_status trine_world_open(trine_grammar **out, trine_error *err)
{
    return trine_grammar_open(out, notation, TRINE_WORLD_WORD, err);
}

int trine_world_vocab(const trine_grammar *world) { return world->first_id + world->n_ids; }

const char *trine_world_spell(char special[24], const trine_grammar *world, int32_t id)
{
    static const char *const names[] = { "<pad>", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>" };
    if (id >= TRINE_WORLD_WORD) return world->words[id - world->first_id];
    if (id < TRINE_WORLD_SENTINEL) return names[id];
    snprintf(special, 24, "<extra_id_%d>", (int)id - TRINE_WORLD_SENTINEL);
    return special;
}

trine_status trine_world_spell_all(char **out, const trine_grammar *world, const int32_t *ids, int n, trine_error *err)
{
    trine_buffer b = { 0 };
    char special[24];
    trine_buffer_puts(&b, "");
    for (int i = 0; i < n; i++) {
        if (i) trine_buffer_putc(&b, ' ');
        trine_buffer_puts(&b, trine_world_spell(special, world, ids[i]));
    }
    *out = trine_buffer_take(&b);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "corpus: no memory for a text of %d tokens", n);
}
