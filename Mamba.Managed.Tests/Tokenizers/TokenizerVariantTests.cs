using System.Text.Json.Nodes;
using System.Text.Json;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>Tokenizers with other added tokens, templates, decoders and options than the published ones, against Hugging Face's library.</summary>
public class TokenizerVariantTests
{
    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    public static IEnumerable<TestCaseData> Variants() =>
        JsonNode.Parse(File.ReadAllBytes(Path.Combine(Fixtures, "tokenizer-variants", "golden.json")))!.AsArray()
            .Select((variant, index) => new TestCaseData(variant!.AsObject()).SetArgDisplayNames($"{index}", variant["base"]!.GetValue<string>()));

    [TestCaseSource(nameof(Variants))]
    public void Ids_and_texts_are_those_of_the_library(JsonObject variant)
    {
        TokenizerParts parts = Parts(variant);
        string written = Path.Combine(Directory.CreateTempSubdirectory("mamba-tokenizer-").FullName, "tokenizer.json");
        TokenizerFile.Write(written, parts);
        foreach (BpeTokenizer tokenizer in (BpeTokenizer[])[parts.ToTokenizer(), BpeTokenizer.Load(written)])
        {
            foreach (JsonNode? entry in variant["texts"]!.AsArray())
            {
                string text = entry!["text"]!.GetValue<string>();
                int[] ids = tokenizer.Encode(text);
                Assert.That(ids, Is.EqualTo(entry["ids"].Deserialize<int[]>()), text);
                Assert.That(Streamed(tokenizer, ids), Is.EqualTo(tokenizer.Decode(ids)), text);
                if (entry["decoded"] is { } decoded)
                {
                    // Where the library garbles added tokens, or bytes that are no text, there is no value.
                    Assert.That(tokenizer.Decode(ids), Is.EqualTo(decoded.GetValue<string>()), text);
                }
            }
        }

        Directory.Delete(Path.GetDirectoryName(written)!, recursive: true);
    }

    internal static string Streamed(Tokenizer tokenizer, int[] ids, bool isStart = true)
    {
        StreamingDecoder decoder = new(tokenizer, isStart);
        return string.Concat(ids.Select(id => decoder.Append(id).ToString())) + decoder.Flush().ToString();
    }

    private static TokenizerParts Parts(JsonObject variant)
    {
        JsonObject file = JsonNode.Parse(File.ReadAllBytes(Path.Combine(Fixtures, "tokenizers", variant["base"]!.GetValue<string>(), "tokenizer.json")))!.AsObject();
        foreach (JsonNode? token in variant["added_tokens"]!.AsArray())
        {
            file["added_tokens"]!.AsArray().Add(token!.DeepClone());
        }

        foreach (string step in (string[])["normalizer", "pre_tokenizer", "post_processor", "decoder"])
        {
            file[step] = variant[step]?.DeepClone();
        }

        foreach ((string name, JsonNode? value) in variant["model"]!.AsObject())
        {
            file["model"]![name] = value?.DeepClone();
        }

        return TokenizerFile.Parse(JsonSerializer.SerializeToUtf8Bytes(file), null);
    }
}
