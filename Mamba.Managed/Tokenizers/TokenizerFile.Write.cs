using System.Text.Encodings.Web;
using System.Text.Json;
using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Tokenizers;

/// <content>Writing.</content>
internal static partial class TokenizerFile
{
    /// <summary>Writes a file; replaced as a whole when it exists.</summary>
    public static void Write(string path, TokenizerParts parts) => AtomicFile.Write(path, stream =>
    {
        // Characters of the byte alphabet are written unescaped, as other writers do, so that the file is readable.
        using Utf8JsonWriter json = new(stream, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", Version);
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in parts.Added)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.IsSingleWord);
            json.WriteBoolean("lstrip", token.StripsLeft);
            json.WriteBoolean("rstrip", token.StripsRight);
            json.WriteBoolean("normalized", token.IsNormalized);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Write(json, "normalizer", parts.Steps.Normalizer);
        Write(json, "pre_tokenizer", parts.Steps.PreTokenizer);
        Write(json, "post_processor", parts.Steps.PostProcessor);
        Write(json, "decoder", parts.Steps.Decoder);
        json.WriteStartObject("model");
        Write(json, parts.Options);
        json.WriteStartObject("vocab");
        foreach ((string token, int id) in parts.Vocabulary)
        {
            json.WriteNumber(token, id);
        }

        json.WriteEndObject();
        Write(json, parts.Merges);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static void Write(Utf8JsonWriter json, string name, JsonElement? step)
    {
        json.WritePropertyName(name);
        if (step is { } value)
        {
            value.WriteTo(json);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    private static void Write(Utf8JsonWriter json, BpeOptions options)
    {
        json.WriteString("type", Kind);
        json.WriteNull("dropout");
        json.WriteString("unk_token", options.UnknownToken);
        json.WriteString("continuing_subword_prefix", options.InnerPrefix.Length > 0 ? options.InnerPrefix : null);
        json.WriteString("end_of_word_suffix", options.EndSuffix.Length > 0 ? options.EndSuffix : null);
        json.WriteBoolean("fuse_unk", options.FusesUnknown);
        json.WriteBoolean("byte_fallback", options.UsesByteTokens);
        json.WriteBoolean("ignore_merges", options.TakesWholeWords);
    }

    // One string a pair, which every reader takes, unless a token contains the space that would part them.
    private static void Write(Utf8JsonWriter json, IReadOnlyCollection<(string Left, string Right)> merges)
    {
        bool isPlain = !merges.Any(merge => merge.Left.Contains(' ', StringComparison.Ordinal) || merge.Right.Contains(' ', StringComparison.Ordinal));
        json.WriteStartArray("merges");
        foreach ((string left, string right) in merges)
        {
            if (isPlain)
            {
                json.WriteStringValue($"{left} {right}");
            }
            else
            {
                json.WriteStartArray();
                json.WriteStringValue(left);
                json.WriteStringValue(right);
                json.WriteEndArray();
            }
        }

        json.WriteEndArray();
    }
}
