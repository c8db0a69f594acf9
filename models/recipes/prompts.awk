# prompts.awk - stories with what somebody would have asked for before them: a title, or a wish. awk -f prompts.awk STORIES STORIES
# Reads the stories twice: first counts in how many of them a word follows an article, and how often one closes a phrase as nouns do,
# then takes of each story the noun that is said often in it and seldom elsewhere. The mood is that of its second half, by words of
# either kind; a story of neither has none.
function tidy(word) { gsub(/[^A-Za-z]/, "", word); return word }
function flush_story(    i, n, words, w, before, seen, count, best, score, top, name, mood, half, title) {
    if (story == "") return
    n = split(story, words, /[ \n]+/)
    split("", count)
    for (i = 2; i <= n; i++) {
        w = tidy(words[i]); if (pass == 1) { said[w]++; if (words[i] ~ /[.,!?]["']?$/) closed[w]++ }
        before = tolower(tidy(words[i - 1]))
        if (w ~ /^[a-z]+$/ && length(w) > 2 && (before == "a" || before == "the" || before == "an")) count[w]++
    }
    if (pass == 1) { n_stories++; for (w in count) in_stories[w]++; story = ""; return }
    top = 0; best = ""
    for (w in count) if (in_stories[w] >= 3 && in_stories[w] < n_stories / 8 && closed[w] > said[w] / 5 && !(w in no)) {
        score = count[w] * log(n_stories / in_stories[w])
        if (score > top || (score == top && w < best)) { top = score; best = w }
    }
    name = ""; mood = 0
    for (i = 1; i <= n; i++) {
        if (name == "" && (tidy(words[i]) == "named" || tidy(words[i]) == "called") && words[i + 1] ~ /^[A-Z][a-z]+[.,]?$/) name = tidy(words[i + 1])
        if (2 * i > n) { w = tolower(tidy(words[i])); if (w in glad) mood += 2; if (w in gloomy) mood -= 3 }
    }
    if (best != "") {
        title = (name != "" ? name " and the " : "The ") toupper(substr(best, 1, 1)) substr(best, 2)
        if (n_told++ % 2) printf "Title: %s\n\n%s\n<|endoftext|>\n", title, story
        else printf("Write a %sstory about %s%s.\n\n%s\n<|endoftext|>\n", (mood > 0 ? "happy " : mood < 0 ? "sad " : ""), (best ~ /[^s]s$/ ? "" : best ~ /^[aeiou]/ ? "an " : "a "), best, story)
    }
    story = ""
}
BEGIN {
    n = split("happy happily smiled smile fun laughed laugh hugged hug proud loved love glad safe thanked friends better together enjoyed", list, " "); for (i = 1; i <= n; i++) glad[list[i]]
    n = split("sad sadly cried cry sorry lost scared hurt alone broken broke angry died never missed wished gone poor", list, " "); for (i = 1; i <= n; i++) gloomy[list[i]]
    n = split("little big small new other same next first last great good very whole best long old nice few lot many time day end way bit one two", list, " "); for (i = 1; i <= n; i++) no[list[i]]
    pass = 0
}
FNR == 1 { flush_story(); pass++ }
$0 == "<|endoftext|>" { flush_story(); next }
{ story = story == "" ? $0 : story "\n" $0 }
END { flush_story() }
