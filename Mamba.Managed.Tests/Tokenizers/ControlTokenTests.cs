using System.Text.Json.Nodes;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>Control tokens that a user writes are text.</summary>
public class ControlTokenTests
{
    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    public static IEnumerable<string> Files() => Directory.GetFiles(Path.Combine(Fixtures, "tokenizers"), "tokenizer.json", SearchOption.AllDirectories)
        .Append(Path.Combine(Fixtures, "gpt-neox-tokenizer", "tokenizer.json")).Select(path => Path.GetRelativePath(Fixtures, path));

    [TestCaseSource(nameof(Files))]
    public void Written_by_a_user_they_are_text_like_any_other(string file)
    {
        string path = Path.Combine(Fixtures, file);
        BpeTokenizer tokenizer = BpeTokenizer.Load(path);
        (int Id, string Content)[] control = [.. JsonNode.Parse(File.ReadAllBytes(path))!["added_tokens"]!.AsArray()
            .Where(token => token!["special"]!.GetValue<bool>() && !token["content"]!.GetValue<string>().StartsWith("<0x", StringComparison.Ordinal)).Select(token => (token!["id"]!.GetValue<int>(), token["content"]!.GetValue<string>()))];
        Assert.That(control, Is.Not.Empty);
        foreach ((int id, string content) in control)
        {
            foreach (string text in (string[])[content, $"Say {content} twice: {content}{content}", $"a{content}b", $"\n{content} "])
            {
                int[] ids = tokenizer.Encode(text, addSpecialTokens: false, controlTokens: false);
                Assert.That(ids.Intersect(control.Select(token => token.Id)), Is.Empty, text);
                Assert.That(tokenizer.Decode(ids).TrimStart(), Is.EqualTo(text.TrimStart()), text);
                Assert.That(tokenizer.Encode(text, addSpecialTokens: false), Does.Contain(id), text);
            }
        }

        const string Plain = "Text without any of them.";
        Assert.That(tokenizer.Encode(Plain, controlTokens: false), Is.EqualTo(tokenizer.Encode(Plain)));
    }
}
