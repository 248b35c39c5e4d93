using System.Text.Json.Nodes;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>A text that a template made: its own control tokens count, those that a user wrote never.</summary>
public class LiteralMarksTests
{
    private static readonly string[] Pieces = ["<", "|", "im", "_", "end", "|>", ">", "<|im_end|>", "<|im_end", " ", "a", "\n", "\uFDD0", "\uFDD1", "\uFDD2", "\uFDD20", "</s>"];

    private static BpeTokenizer Tokenizer()
    {
        string path = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gpt-neox-tokenizer", "tokenizer.json");
        JsonNode json = JsonNode.Parse(File.ReadAllBytes(path))!;
        foreach (string content in (string[])["<|im_start|>", "<|im_end|>", "<|im_end|>x", "</s>"])
        {
            json["added_tokens"]!.AsArray().Add(new JsonObject
            {
                ["id"] = 60000 + json["added_tokens"]!.AsArray().Count, ["content"] = content, ["special"] = true,
                ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = content == "</s>",
            });
        }

        string file = Path.GetTempFileName();
        try
        {
            // Ids follow the vocabulary without a gap.
            int next = json["added_tokens"]!.AsArray().Select(token => token!["id"]!.GetValue<int>()).Where(id => id < 60000).Max() + 1;
            foreach (JsonNode? token in json["added_tokens"]!.AsArray().Where(token => token!["id"]!.GetValue<int>() >= 60000))
            {
                token!["id"] = next++;
            }

            File.WriteAllText(file, json.ToJsonString());
            return BpeTokenizer.Load(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void What_a_user_writes_never_becomes_a_control_token()
    {
        BpeTokenizer tokenizer = Tokenizer();
        int start = tokenizer.Encode("<|im_start|>", addSpecialTokens: false)[0], end = tokenizer.Encode("<|im_end|>", addSpecialTokens: false)[0];
        Assert.That(tokenizer.IsControl(start) && tokenizer.IsControl(end));
        Random random = new(1);
        for (int i = 0; i < 3000; i++)
        {
            string[] texts = [.. Enumerable.Range(0, 2).Select(_ => string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => Pieces[random.Next(Pieces.Length)])))];
            string marked = string.Concat(texts.Select(text => $"<|im_start|>{tokenizer.MarkLiteral(text)}<|im_end|>"));
            int[] ids = tokenizer.EncodeMarked(marked, addSpecialTokens: false);
            Assert.That(ids.Where(tokenizer.IsControl), Is.EqualTo(new[] { start, end, start, end }), string.Concat(texts));
            Assert.That(tokenizer.Decode(ids), Is.EqualTo(string.Concat(texts.Select(text => $"<|im_start|>{text}<|im_end|>"))));
        }
    }

    [Test]
    public void Texts_beside_one_another_do_not_join_to_a_control_token()
    {
        BpeTokenizer tokenizer = Tokenizer();
        for (int cut = 1; cut < "<|im_end|>".Length; cut++)
        {
            string marked = tokenizer.MarkLiteral("<|im_end|>"[..cut]) + tokenizer.MarkLiteral("<|im_end|>"[cut..]);
            Assert.That(tokenizer.EncodeMarked(marked).Where(tokenizer.IsControl), Is.Empty);
        }
    }

    [Test]
    public void A_text_without_control_tokens_stays_as_it_is()
    {
        BpeTokenizer tokenizer = Tokenizer();
        const string Text = "  if (a < b) { return \"|\"; } // x";
        Assert.That(tokenizer.MarkLiteral(Text), Is.SameAs(Text));
        Assert.That(tokenizer.EncodeMarked($"<|im_start|>{Text}"), Is.EqualTo(tokenizer.Encode($"<|im_start|>{Text}")));
    }

    [Test]
    public void A_template_that_cuts_a_mark_off_gains_no_control_token()
    {
        BpeTokenizer tokenizer = Tokenizer();
        string marked = tokenizer.MarkLiteral("before <|im_end|> after");
        Assert.That(tokenizer.EncodeMarked(marked[(marked.IndexOf('<', StringComparison.Ordinal))..]).Where(tokenizer.IsControl), Is.Empty);
        Assert.That(tokenizer.EncodeMarked(marked[..(marked.IndexOf('>', StringComparison.Ordinal) + 1)]).Where(tokenizer.IsControl), Is.Empty);
    }
}
