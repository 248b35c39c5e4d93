using Mamba.Managed.Tokenizers;
using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>Merging and finding: the same as by definition, and in linear time.</summary>
public class MergingTests
{
    [Test]
    public void Merging_is_the_definition([Range(0, 19)] int seed)
    {
        // Symbols 0 to 3 and random pairs of what there is; long words take another way than short ones. Equal ranks in the second half.
        Random random = new(seed);
        MergeTable table = new(0);
        for (int symbol = 4; symbol < 60; symbol++)
        {
            table.TryAdd(random.Next(symbol), random.Next(symbol), new(seed < 10 ? symbol : symbol / 4, symbol));
        }

        for (int length = 0; length < 300; length += random.Next(1, 8))
        {
            int[] word = [.. Enumerable.Range(0, length).Select(_ => random.Next(4))];
            int[] expected = ByDefinition([.. word], table);
            long steps = 0;
            int count = SymbolMerger.Merge(word, table, ref steps);
            Assert.That(word[..count], Is.EqualTo(expected));
        }
    }

    [Test]
    public void A_long_word_takes_time_in_proportion()
    {
        // Equal letters merge to pairs, fours, eights, ...: every merge makes new pairs.
        MergeTable table = new(0);
        for (int symbol = 0; symbol < 12; symbol++)
        {
            table.TryAdd(symbol, symbol, new(symbol, symbol + 1));
        }

        Assert.That(Steps(20_000), Is.LessThan(3.0 * 20_000));
        Assert.That(Steps(40_000), Is.LessThan(2.01 * Steps(20_000)));

        long Steps(int length)
        {
            long steps = 0;
            SymbolMerger.Merge(new int[length], table, ref steps);
            return steps;
        }
    }

    [Test]
    public void Found_are_the_leftmost_and_of_those_the_longest([Range(0, 19)] int seed)
    {
        Random random = new(seed);
        AddedToken[] tokens = [.. Enumerable.Range(0, random.Next(1, 12)).Select(id => new AddedToken(id, Text(1, 6), true, false)).DistinctBy(token => token.Content)];
        AddedTokenFinder finder = new(tokens);
        for (int round = 0; round < 100; round++)
        {
            string text = Text(0, 40);
            List<(int, AddedToken)> expected = [];
            for (int at = 0; at < text.Length;)
            {
                AddedToken? longest = tokens.Where(token => string.CompareOrdinal(text, at, token.Content, 0, token.Content.Length) == 0).MaxBy(token => token.Content.Length);
                if (longest is not null)
                {
                    expected.Add((at, longest));
                }

                at += longest?.Content.Length ?? 1;
            }

            long steps = 0;
            Assert.That(finder.Find(text, ref steps), Is.EqualTo(expected), text);
        }

        string Text(int least, int most) => string.Concat(Enumerable.Range(0, random.Next(least, most + 1)).Select(_ => "aab"[random.Next(3)]));
    }

    [TestCase("<|", "<|endoftext|>", "<|>")]
    [TestCase("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "a")]
    [TestCase("a", "baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aa")]
    [TestCase("ab", "abababababababababababababababababababababababababababababa", "b")]
    public void Added_tokens_are_found_in_linear_time(string part, string first, string second)
    {
        AddedTokenFinder finder = new([new(0, first, true, false), new(1, second, true, false)]);
        string text = string.Concat(Enumerable.Repeat(part, 20_000));
        long steps = 0;
        finder.Find(text, ref steps);
        Assert.That(steps, Is.LessThanOrEqualTo(2 * text.Length));
    }

    [Test]
    public void Two_thousand_long_tokens_that_begin_alike_share_their_memory_and_cost_nothing()
    {
        string letters = new('a', 8000);
        AddedTokenFinder finder = new([.. Enumerable.Range(0, 2000).Select(id => new AddedToken(id, letters[..(6000 + id)], true, false))]);
        long steps = 0;
        List<(int Start, AddedToken Token)> found = finder.Find(new string('a', 20_000), ref steps);
        Assert.That(found.Select(match => match.Token.Content.Length), Is.EqualTo(new[] { 7999, 7999 }));
        Assert.That(steps, Is.LessThanOrEqualTo(2 * 20_000));
    }

    [Test]
    public void A_cached_word_has_the_ids_of_the_first_time()
    {
        BpeTokenizer tokenizer = TokenizerTests.Small();
        string[] words = [.. Enumerable.Range(0, 3000).Select(i => string.Concat(Convert.ToString(i, 8).Select(digit => "abcabcab"[digit - '0'])))];
        int[][] first = [.. words.Select(tokenizer.Encode)];
        Assert.That(words.AsParallel().AsOrdered().Select(tokenizer.Encode), Is.EqualTo(first));
        Assert.That(words.Select(TokenizerTests.Small().Encode), Is.EqualTo(first));
    }

    private static int[] ByDefinition(List<int> word, MergeTable table)
    {
        while (true)
        {
            int best = -1, rank = Merge.Never;
            for (int i = 0; i + 1 < word.Count; i++)
            {
                if (table.Find(word[i], word[i + 1]).Rank < rank)
                {
                    (best, rank) = (i, table.Find(word[i], word[i + 1]).Rank);
                }
            }

            if (best < 0)
            {
                return [.. word];
            }

            word[best] = table.Find(word[best], word[best + 1]).Symbol;
            word.RemoveAt(best + 1);
        }
    }
}
