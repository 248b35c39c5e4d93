using System.Text;
using System.Text.Json;
using Mamba.Managed.Generation;
using Mamba.Managed.Grammars;
using Mamba.Managed.Tests.Grammars;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>What a constraint allows, and what it says of wrong use.</summary>
public class GrammarConstraintTests
{
    private const int Padding = 1;

    private static (Tokenizer Tokenizer, GrammarVocabulary Vocabulary) Neox => Constrained.Neox.Value;

    [Test]
    public void End_tokens_are_allowed_exactly_where_the_text_may_end()
    {
        GrammarConstraint constraint = Of("root ::= \"yes\" \"!\"?");
        int end = Neox.Tokenizer.EndTokenId!.Value, yes = IdOf("yes"), mark = IdOf("!");
        Assert.That(Allowed(constraint), Is.SubsetOf(new[] { IdOf("y"), IdOf("ye"), yes }).And.Contains(yes));
        Assert.That(constraint.MayEnd, Is.False);
        constraint.Accept(yes);
        Assert.That(Allowed(constraint), Is.EquivalentTo(new[] { mark, end }));
        Assert.That((constraint.MayEnd, constraint.IsComplete), Is.EqualTo((true, false)));
        ITokenConstraint other = constraint.Copy();
        constraint.Accept(mark);
        Assert.That(Allowed(constraint), Is.EqualTo(new[] { end }));
        Assert.That(constraint.IsComplete, Is.True);
        constraint.Accept(end);
        Assert.That(() => Allowed(constraint), Throws.InvalidOperationException);
        Assert.That(() => constraint.Accept(end), Throws.ArgumentException);

        // The copy is where it was.
        Assert.That(Allowed(other), Is.EquivalentTo(new[] { mark, end }));
        other.Accept(end);
        Assert.That(other.IsComplete, Is.True);
    }

    [Test]
    public void Control_tokens_are_no_text()
    {
        GrammarConstraint constraint = Of("root ::= .*");
        int[] allowed = Allowed(constraint);
        Assert.That(allowed, Does.Not.Contain(Padding));
        Assert.That(allowed, Has.Length.GreaterThan(50_000));
        Assert.That(() => constraint.Accept(Padding), Throws.ArgumentException.With.Message.Contains("found 1"));
    }

    [Test]
    public void Without_end_tokens_a_text_is_complete_when_nothing_may_follow()
    {
        GrammarConstraint constraint = new(Grammar.Parse("root ::= \"ab\""), Constrained.Bytes.Value.Vocabulary, []);
        constraint.Accept('a');
        constraint.Accept('b');
        Assert.That(constraint.IsComplete, Is.True);
        Assert.That(() => constraint.Apply(new float[256]), Throws.InvalidOperationException.With.Message.Contains("IsComplete"));
    }

    [Test]
    public void Wrong_use_is_named()
    {
        GrammarConstraint constraint = Of("root ::= \"a\"");
        Assert.That(() => constraint.Apply(new float[100]), Throws.ArgumentException.With.Message.Contains("found 100"));
        Assert.That(() => constraint.Accept(-1), Throws.ArgumentException);
        Assert.That(() => constraint.Accept(int.MaxValue), Throws.ArgumentException);
        Assert.That(() => constraint.Accept(IdOf("b")), Throws.ArgumentException.With.Message.Contains("that the grammar allows here"));
        Assert.That(() => new GrammarConstraint(Grammar.Json, Neox.Vocabulary, [-1]), Throws.InstanceOf<ArgumentOutOfRangeException>());
        constraint.Accept(IdOf("a"));
    }

    [Test]
    public void A_token_of_part_of_a_character_may_come_where_the_character_may()
    {
        byte[] bytes = Encoding.UTF8.GetBytes("é");
        GrammarConstraint constraint = new(Grammar.Parse("root ::= [à-ý]"), Constrained.Bytes.Value.Vocabulary, []);
        Assert.That(Allowed(constraint, 256), Is.EqualTo(new int[] { bytes[0] }));
        constraint.Accept(bytes[0]);
        Assert.That(Allowed(constraint, 256), Is.EqualTo(Enumerable.Range(0xA0, 0xBD - 0xA0 + 1)));
    }

    [Test]
    public void A_vocabulary_that_lacks_the_bytes_is_named()
    {
        GrammarConstraint constraint = new(Grammar.Parse("root ::= \"a€\""), new(new Letters()), []);
        constraint.Accept('a');
        Assert.That(() => constraint.Apply(new float[256]), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("lacks the bytes"));
    }

    [Test]
    public void A_mask_sets_what_its_bits_do_not_name()
    {
        Random random = new(1);
        for (int size = 0; size < 300; size++)
        {
            ulong[] mask = new ulong[(size + 63) / 64];
            for (int token = 0; token < size; token++)
            {
                int kind = random.Next(3);
                mask[token / 64] |= (token / 64 % 3) switch { 0 => 1UL, 1 => 0UL, _ => kind == 0 ? 1UL : 0UL } << token;
            }

            float[] logits = [.. Enumerable.Range(0, size).Select(token => (float)token)];
            bool isAny = TokenMask.Apply(mask, logits);
            float[] expected = [.. Enumerable.Range(0, size).Select(token => (mask[token / 64] >> token & 1) != 0 ? token : float.NegativeInfinity)];
            Assert.That(logits, Is.EqualTo(expected));
            Assert.That(isAny, Is.EqualTo(expected.Any(float.IsFinite)));
        }
    }

    [Test]
    public void Steps_of_a_grammar_in_use_allocate_nothing()
    {
        using JsonDocument schema = JsonDocument.Parse("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":40}}");
        Grammar grammar = Grammar.OfJsonSchema(schema.RootElement);
        int[] tokens = Neox.Tokenizer.Encode("[\"The quick brown fox\", \"jumps over\", \"the lazy dog\"]", addSpecialTokens: false);
        float[] logits = new float[50280];
        Run();
        GrammarConstraint constraint = new(grammar, Neox.Vocabulary, Neox.Tokenizer.EndTokenIds);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Steps(constraint);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Run() => Steps(new(grammar, Neox.Vocabulary, Neox.Tokenizer.EndTokenIds));

        void Steps(GrammarConstraint used)
        {
            foreach (int token in tokens)
            {
                used.Apply(logits);
                used.Accept(token);
            }
        }
    }

    private static GrammarConstraint Of(string gbnf) => new(Grammar.Parse(gbnf), Neox.Vocabulary, Neox.Tokenizer.EndTokenIds);

    private static int IdOf(string text) => Neox.Tokenizer.Encode(text, addSpecialTokens: false).Single();

    private static int[] Allowed(ITokenConstraint constraint, int size = 50280)
    {
        float[] logits = new float[size];
        constraint.Apply(logits);
        return [.. Enumerable.Range(0, size).Where(token => logits[token] == 0)];
    }

    /// <summary>A token for each character of ASCII, and none for other bytes.</summary>
    private sealed class Letters : Tokenizer
    {
        private readonly byte[] bytes = [.. Enumerable.Range(0, 128).Select(value => (byte)value)];

        public override string Name => "letters";

        public override int VocabularySize => bytes.Length;

        public override IReadOnlyList<int> EndTokenIds => [];

        public override int[] Encode(string text, bool addSpecialTokens = true, bool controlTokens = true) => [.. text.Select(letter => (int)letter)];

        public override ReadOnlySpan<byte> BytesOf(int token) => bytes.AsSpan(token, 1);
    }
}
