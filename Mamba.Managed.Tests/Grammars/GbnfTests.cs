using Mamba.Managed.Grammars;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>The notation of llama.cpp: what it means, and what is refused.</summary>
public class GbnfTests
{
    private const string Chess = """
        # Moves, as in llama.cpp's grammars
        root   ::= (
          # a numbered move
          "1. " move " " move "\n"
          ([1-9] [0-9]? ". " move " " move "\n")+ )
        move   ::= (pawn | nonpawn | castle) [+#]?
        nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
        pawn   ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
        castle ::= "O-O" "-O"?
        """;

    private const string JsonNotation = """
        root   ::= object
        value  ::= object | array | string | number | ("true" | "false" | "null") ws
        object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
        array  ::= "[" ws ( value ("," ws value)* )? "]" ws
        string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
        number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
        ws ::= | " " | "\n" [ \t]{0,20}
        """;

    [TestCase("root ::= \"yes\" | \"no\"", "yes|no", "y|yesno||maybe")]
    [TestCase("root ::= [a-c]+ [^a-c\\n]", "abcd|aé|c😀", "a|ab|abc\n|d")]
    [TestCase("root ::= . \"\\x41\\u00e9\\U0001F600\\t\\\\\\\"\"", "xAé😀\t\\\"|😀Aé😀\t\\\"|\nAé😀\t\\\"", "Aé😀\t\\\"")]
    [TestCase("root ::= \"a\"{2} \"b\"{1,} \"c\"{0,2} \"d\"{2,3}", "aabdd|aabbbccddd", "abdd|aabcccdd|aabd|aabdddd")]
    [TestCase("root ::= \"(\" root \")\" | \"x\"", "x|(x)|((((x))))", "(x|x)|()")]
    [TestCase("root ::= item*\nitem ::= \"a\" |\n  \"b\" # or\n\n", "|a|abba", "c|ab ")]
    [TestCase("root ::= a-1\r\na-1 ::= (\"x\"\r\n \"y\")?\r\n", "|xy", "x")]
    [TestCase("root ::= [\\]\\[\\-^] [a-]", "]a|[-|--|^a", "\\a|a")]
    [TestCase("root ::= \"\"", "", "a")]
    [TestCase(Chess, "1. e4 e5\n2. Nf3 Nc6\n|1. O-O O-O-O+\n10. exd8=Q Kh1\n", "1. e4 e5\n|e4")]
    [TestCase(JsonNotation, "{}|{\"a\": [1, -2.5e+3, \"x\\u0041\"], \"b\":{\"c\":null}}", "[]|{\"a\"}|{a:1}")]
    public void A_notation_means(string gbnf, string texts, string others)
    {
        Grammar grammar = Grammar.Parse(gbnf);
        foreach (string text in texts.Split('|').Where(text => text != "|"))
        {
            Assert.That(Constrained.Accepts(grammar, text), Is.True, text);
        }

        foreach (string text in others.Split('|').Where(text => !texts.Split('|').Contains(text)))
        {
            Assert.That(Constrained.Accepts(grammar, text), Is.False, text);
        }
    }

    [TestCase("", "expected a rule named root")]
    [TestCase("start ::= \"a\"", "expected a rule named root")]
    [TestCase("root = \"a\"", "line 1: expected ::= after the name of a rule, found '='")]
    [TestCase("root ::= \"a\"\n\nroot ::= \"b\"", "line 3: expected each rule once, found root a second time")]
    [TestCase("root ::= a\na ::= b |\n \"x\"", "line 2: expected a rule that is defined, found b, which is not")]
    [TestCase("root ::= \"a", "closing quotation mark")]
    [TestCase("root ::= [a", "closing bracket")]
    [TestCase("root ::= []", "a class with characters")]
    [TestCase("root ::= [b-a]", "a range from a lower")]
    [TestCase("root ::= (\"a\"", "closing parenthesis")]
    [TestCase("root ::= \"a\")", "a new line after a rule, found ')'")]
    [TestCase("root ::= *", "found '*'")]
    [TestCase("root ::= \"a\"{3,2}", "at least 3, found at most 2")]
    [TestCase("root ::= \"a\"{99999999999}", "at most 65536 repetitions")]
    [TestCase("root ::= \"a\"{,2}", "a number of repetitions")]
    [TestCase("root ::= \"\\q\"", "expected an escape")]
    [TestCase("root ::= \"\\uD800\"", "a character's number")]
    [TestCase("root ::= \"\\x4\"", "a character's number")]
    [TestCase("root ::= <think>", "tokens by name or number are not supported")]
    [TestCase("root ::= !<think>", "tokens by name or number are not supported")]
    [TestCase("root ::= root \"a\" | \"b\"", "left recursion: root -> root")]
    [TestCase("root ::= a \"x\"\na ::= b* root | \"y\"\nb ::= \"z\"?", "left recursion: root -> a -> root")]
    [TestCase("root ::= \"a\" root", "never does")]
    [TestCase("root ::= ((\"a\"{1000}){1000})", "at most 262144 states")]
    [TestCase("root ::= [ab]* \"a\" [ab]{40}", "states")]
    public void What_cannot_be_followed_is_refused(string gbnf, string message)
    {
        Assert.That(() => Grammar.Parse(gbnf), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(message));
    }

    [Test]
    public void Half_a_surrogate_pair_is_refused() =>
        Assert.That(() => Grammar.Parse("root ::= \"\uD800\""), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("half a surrogate pair"));

    [Test]
    public void Deep_groups_and_long_chains_are_no_danger()
    {
        string deep = "root ::= " + new string('(', 100_000);
        Assert.That(() => Grammar.Parse(deep), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("depth of at most 64"));
        string chain = "root ::= r0\n" + string.Concat(Enumerable.Range(0, 10_000).Select(rule => $"r{rule} ::= r{rule + 1}\n")) + "r10000 ::= \"x\" root?";
        Grammar grammar = Grammar.Parse(chain);
        Assert.That(Constrained.Accepts(grammar, "xxx"), Is.True);
        string many = string.Concat(Enumerable.Range(0, 20_000).Select(rule => $"r{rule} ::= \"x\"\n"));
        Assert.That(() => Grammar.Parse(many), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("at most 16384 rules"));
    }

    [TestCase("root ::= \"a\" root root | \"a\"", 3000)]
    [TestCase("root ::= (\"a\"* \"a\"*)* b*\nb ::= \"a\" b b | \"a\"", 2000)]
    [TestCase("root ::= \"(\" root \")\" | \"(\" root | \"x\"", 5000)]
    public void Ambiguity_is_polynomial_or_refused(string gbnf, int length)
    {
        Grammar grammar = Grammar.Parse(gbnf);
        TimeLimit.Run(() =>
        {
            try
            {
                Assert.That(Constrained.Begins(grammar, new string(gbnf.Contains('(') && !gbnf.Contains('*') ? '(' : 'a', length)), Is.True);
            }
            catch (InvalidDataException error)
            {
                Assert.That(error.Message, Does.Contain("less ambiguous"));
            }
        });
    }

    [Test]
    public void Nesting_has_no_bound_of_its_own()
    {
        Grammar grammar = Grammar.Parse("root ::= \"(\" root \")\" | \"x\"");
        string open = new('(', 100_000);
        Assert.That(Constrained.Accepts(grammar, open + "x" + new string(')', 100_000)), Is.True);
    }
}
