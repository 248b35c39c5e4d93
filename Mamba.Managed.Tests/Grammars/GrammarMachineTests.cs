using System.Text;
using Mamba.Managed.Generation;
using Mamba.Managed.Grammars;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>Grammars beside a plain recognizer, and masks beside trying each token.</summary>
public class GrammarMachineTests
{
    [Test]
    public void Random_grammars_have_the_texts_of_a_plain_recognizer()
    {
        string[] texts = [.. Texts(5)];
        int compared = 0, accepted = 0;
        for (int seed = 0; seed < 400; seed++)
        {
            RandomGrammar plain = new(seed);
            if (TryParse(plain.Notation) is not { } grammar)
            {
                continue;
            }

            HashSet<string> own = [.. texts.Where(text => Constrained.Accepts(grammar, text))];
            HashSet<string> expected = [.. texts.Where(plain.Accepts)];
            Assert.That(own, Is.EquivalentTo(expected), plain.Notation);
            foreach (string text in expected)
            {
                Assert.That(Enumerable.Range(0, text.Length).All(length => Constrained.Begins(grammar, text[..length])), Is.True, text);
            }

            compared++;
            accepted += expected.Count;
        }

        Assert.That((compared, accepted), Is.GreaterThan((150, 2000)));
    }

    [Test]
    public void A_mask_has_the_tokens_that_may_follow_and_no_others()
    {
        GrammarVocabulary vocabulary = new(new Pieces(3000));
        for (int seed = 0; seed < 300; seed++)
        {
            if (TryParse(new RandomGrammar(seed).Notation) is not { } grammar)
            {
                continue;
            }

            CheckMasks(grammar, vocabulary, seed, 12);
        }
    }

    [TestCase("root ::= \"[\" (root (\",\" root)*)? \"]\" | \"\\\"\" [^\"\\\\]* \"\\\"\"")]
    [TestCase("root ::= s (\" \" s)*\ns ::= [a-z]* | \"\\\"\" [a-z ]{0,9} \"\\\"\"")]
    public void Masks_over_the_vocabulary_of_gpt_neox(string gbnf) => CheckMasks(Grammar.Parse(gbnf), Constrained.Neox.Value.Vocabulary, 1, 25);

    [TestCase("{\"type\":\"string\",\"maxLength\":90}", 14)]
    [TestCase("{\"type\":\"string\",\"minLength\":40,\"maxLength\":70}", 25)]
    [TestCase("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":20},\"maxItems\":30}", 30)]
    public void Masks_of_counted_repetitions_over_the_vocabulary_of_gpt_neox(string schema, int steps)
    {
        using System.Text.Json.JsonDocument document = System.Text.Json.JsonDocument.Parse(schema);
        Grammar grammar = Grammar.OfJsonSchema(document.RootElement);
        for (int seed = 0; seed < 3; seed++)
        {
            CheckMasks(grammar, Constrained.Neox.Value.Vocabulary, seed, steps);
        }
    }

    [Test]
    public void Masks_of_json_over_the_vocabulary_of_gpt_neox() => CheckMasks(Grammar.Json, Constrained.Neox.Value.Vocabulary, 2, 60);

    [Test]
    public void Any_cut_into_tokens_reads_the_same()
    {
        Grammar grammar = Grammar.Json;
        byte[] text = Encoding.UTF8.GetBytes("{\"a\": [1.5e-3, \"é😀\\n\\u0041\", true, null],\n  \"b\":{\"c\":{}}}");
        GrammarMasks masks = Constrained.Bytes.Value.Vocabulary.MasksOf(grammar);
        Configuration whole = masks.After(masks.Start(), text);
        Assert.That(whole.MayEnd, Is.True);
        Random random = new(5);
        for (int run = 0; run < 50; run++)
        {
            Configuration now = masks.Start();
            for (int at = 0; at < text.Length;)
            {
                int length = random.Next(1, Math.Min(8, text.Length - at) + 1);
                now = masks.After(now, text.AsSpan(at, length));
                at += length;
            }

            Assert.That(now, Is.SameAs(whole));
        }
    }

    [Test]
    public void What_is_kept_is_bounded_and_found_again()
    {
        // Each length is a configuration of its own, and so is each depth of nesting.
        Grammar grammar = Grammar.Parse("root ::= \"(\" root \")\" | [a-z]{0,9} \"x\" [é-ü]{0,2000}");
        (Tokenizer tokenizer, GrammarVocabulary vocabulary) = Constrained.Neox.Value;
        GrammarConstraint constraint = new(grammar, vocabulary, tokenizer.EndTokenIds);
        float[] logits = new float[tokenizer.VocabularySize];
        int open = tokenizer.Encode("(", false)[0];
        long before = GC.GetTotalMemory(true);
        for (int step = 0; step < 20_000; step++)
        {
            constraint.Apply(logits);
            constraint.Accept(open);
            logits.AsSpan().Clear();
        }

        Assert.That(GC.GetTotalMemory(true) - before, Is.LessThan(120 << 20));
        constraint.Apply(logits);
        Assert.That(logits[open], Is.Zero);
        Assert.That(logits[tokenizer.Encode(")", false)[0]], Is.EqualTo(float.NegativeInfinity));
    }

    [Test]
    public void A_walk_that_makes_too_much_forgets_on_its_way()
    {
        // Every class of bytes is its own, every token leads to configurations of its own, and each holds several ways.
        string letters = string.Concat(Enumerable.Range(0, 90).Select(index => $"| \"\\x{0x21 + index:x2}\" "));
        Grammar grammar = Grammar.Parse($"root ::= (a | a a | a a a){{0,300}}\na ::= \" \" {letters} | \"(\" root \")\"");
        (Tokenizer tokenizer, GrammarVocabulary vocabulary) = Constrained.Neox.Value;
        TimeLimit.Run(() =>
        {
            GrammarConstraint constraint = new(grammar, vocabulary, tokenizer.EndTokenIds);
            float[] logits = new float[tokenizer.VocabularySize];
            long before = GC.GetTotalMemory(true);
            try
            {
                foreach (int token in tokenizer.Encode("some words ((of a text)) that go on"))
                {
                    constraint.Apply(logits);
                    constraint.Accept(token);
                    logits.AsSpan().Clear();
                }
            }
            catch (InvalidDataException error)
            {
                Assert.That(error.Message, Does.Contain("less ambiguous"));
            }

            Assert.That(GC.GetTotalMemory(true) - before, Is.LessThan(150 << 20));
        });
    }

    [Test]
    public void Many_threads_share_a_grammar()
    {
        Grammar grammar = Grammar.Parse("root ::= item{3,30}\nitem ::= [a-z]+ \" \" [0-9]{1,3} \"\\n\"");
        string[] alone = [.. Enumerable.Range(0, 16).Select(Text)];
        grammar = Grammar.Parse("root ::= item{3,30}\nitem ::= [a-z]+ \" \" [0-9]{1,3} \"\\n\"");
        string[] together = new string[16];
        System.Threading.Tasks.Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 4 }, seed => together[seed] = Text(seed));
        Assert.That(together, Is.EqualTo(alone));

        string Text(int seed) => Encoding.UTF8.GetString(Constrained.Run(grammar, Constrained.Neox.Value, seed, 200).Bytes);
    }

    private static void CheckMasks(Grammar grammar, GrammarVocabulary vocabulary, int seed, int steps)
    {
        Random random = new(seed);
        GrammarMasks masks = vocabulary.MasksOf(grammar);
        Configuration now = masks.Start();
        for (int step = 0; step < steps; step++)
        {
            ulong[] mask = masks.MaskOf(now);
            List<int> allowed = [];
            for (int token = 0; token < vocabulary.Size; token++)
            {
                ReadOnlySpan<byte> bytes = vocabulary.BytesOf(token);
                bool isAllowed = (mask[token >> 6] >> token & 1) != 0;
                bool expected = bytes.Length > 0 && !masks.After(now, bytes).IsDead;
                if (isAllowed != expected)
                {
                    Assert.Fail($"token {token} at step {step}: {isAllowed}");
                }

                if (isAllowed)
                {
                    allowed.Add(token);
                }
            }

            if (allowed.Count == 0)
            {
                Assert.That(now.MayEnd, Is.True);
                return;
            }

            now = masks.After(now, vocabulary.BytesOf(allowed[random.Next(allowed.Count)]));
        }
    }

    private static Grammar? TryParse(string notation)
    {
        try
        {
            return Grammar.Parse(notation);
        }
        catch (InvalidDataException error) when (error.Message.Contains("left recursion", StringComparison.Ordinal) || error.Message.Contains("never does", StringComparison.Ordinal))
        {
            return null;
        }
    }

    private static IEnumerable<string> Texts(int most) =>
        most == 0 ? [""] : Texts(most - 1).SelectMany(text => text.Length == most - 1 ? [text, text + "a", text + "b", text + "é"] : new[] { text });

    /// <summary>Tokens of random bytes, among them parts of characters and several of the same bytes.</summary>
    private sealed class Pieces : Tokenizer
    {
        private readonly byte[][] pieces;

        public Pieces(int count)
        {
            Random random = new(3);
            byte[] all = Encoding.UTF8.GetBytes("aabbé");
            pieces = [.. Enumerable.Range(0, count).Select(index => Enumerable.Range(0, index < 4 ? 1 : random.Next(1, 7)).Select(_ => all[index < 4 ? index + 2 : random.Next(all.Length)]).ToArray())];
            pieces[0] = [(byte)'a'];
        }

        public override string Name => "pieces";

        public override int VocabularySize => pieces.Length;

        public override IReadOnlyList<int> EndTokenIds => [];

        public override int[] Encode(string text, bool addSpecialTokens = true, bool controlTokens = true) => throw new NotSupportedException();

        public override ReadOnlySpan<byte> BytesOf(int token) => pieces[token];
    }
}
