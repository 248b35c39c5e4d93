using System.Text.Json;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

/// <summary>How each value of <c>tokenizer.ggml.pre</c> splits: ids that Hugging Face's <c>tokenizers</c> gave for the same steps and merges.</summary>
public class GgufPreTokenizerTests
{
    [Test]
    public void Ids_are_those_that_tokenizers_of_Hugging_Face_give_for_the_same_steps()
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gguf-pre", "golden.json")));
        string[] texts = [.. golden.RootElement.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];
        List<string> seen = [];
        foreach (JsonElement group in golden.RootElement.GetProperty("groups").EnumerateArray())
        {
            foreach (string name in group.GetProperty("names").EnumerateArray().Select(name => name.GetString()!))
            {
                seen.Add(name);
                Tokenizer tokenizer = Vocabulary(name).ToTokenizer();
                foreach ((int index, JsonElement ids) in group.GetProperty("ids").EnumerateArray().Index())
                {
                    Assert.That(tokenizer.Encode(texts[index]), Is.EqualTo(ids.EnumerateArray().Select(id => id.GetInt32())), $"{name}: {texts[index]}");
                }
            }
        }

        Assert.That(seen, Is.EquivalentTo(GgufPreTokenizer.All.SelectMany(family => family.Names)));
    }

    // The bytes, and merges in which digits, capitals, marks and spaces over a word's end would show.
    private static GgufVocabulary Vocabulary(string? pre)
    {
        List<string> tokens = [.. GgufVocabulary.OfBytes().Tokens];
        (string, string)[] merges =
        [
            ("Ġ", "1"), ("1", "2"), ("3", "4"), ("12", "34"), ("1234", "5"), ("Ġ1", "2"), ("12", "3"), ("4", "5"), ("34", "5"), ("Ġ12", "345"), ("6", "7"), ("67", "8"), ("Ġ", "t"), ("Ġt", "he"), ("h", "e"),
            ("a", "b"), ("X", "Y"), ("a", "X"), ("'", "s"), ("'", "L"), ("'L", "L"), ("Ċ", "Ċ"), ("č", "Ċ"), ("Ġ", "Ġ"), ("ĠĠ", "Ġ"), (".", ","), ("!", "?"), ("-", "-"), ("Ġ", "("), ("!?", "Ċ"), ("Ã", "©"),
            ("æĹ", "¥"), ("æ", "Ĺ"), ("e", "Ì"), ("Ì", "ģ"), ("/", "/"), ("b", "."), ("Ġ", "a"), ("Ġa", "b"), ("ab", "X"),
        ];
        merges = [.. merges.OrderBy(merge => (merge.Item1 + merge.Item2).Length)];
        tokens.AddRange(merges.Select(merge => merge.Item1 + merge.Item2).Distinct());
        int[] types = [.. tokens.Select(_ => 1), 3, 4];
        tokens.AddRange(["<|end_of_text|>", "<tool>"]);
        return new("gpt2", pre, tokens, types, [.. merges.DistinctBy(merge => merge.Item1 + merge.Item2).Select(merge => $"{merge.Item1} {merge.Item2}")]) { EndTokenId = tokens.Count - 2, StartTokenId = null };
    }
}
