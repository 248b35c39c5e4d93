using System.Buffers;
using System.Text.Json;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers;

/// <summary>The special tokens around a text: the <c>post_processor</c> of <c>tokenizer.json</c>.</summary>
/// <param name="Before">Ids that go before a text.</param>
/// <param name="After">Ids that go after it.</param>
internal sealed record SequenceTemplate(IReadOnlyList<int> Before, IReadOnlyList<int> After)
{
    private const string Where = "post_processor";

    // Published templates add one or two.
    private const int MostTokens = 1 << 16;

    /// <summary>No tokens.</summary>
    public static SequenceTemplate None { get; } = new([], []);

    /// <summary>Whether there are no tokens.</summary>
    public bool IsEmpty => Before.Count + After.Count == 0;

    /// <summary>The template that adds one token before a text or one after it, as a <c>tokenizer.json</c> writes it; null for none.</summary>
    /// <param name="before">The token and its id.</param>
    /// <param name="after">The token and its id.</param>
    public static JsonElement? Json((string Text, int Id)? before, (string Text, int Id)? after)
    {
        if (before is null && after is null)
        {
            return null;
        }

        ArrayBufferWriter<byte> text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            json.WriteString("type", "TemplateProcessing");
            WriteSequences(json, "single", ["A"]);
            WriteSequences(json, "pair", ["A", "B"]);
            json.WriteStartObject("special_tokens");
            foreach ((string token, int id) in (((string Text, int Id)?[])[before, after == before ? null : after]).OfType<(string Text, int Id)>())
            {
                json.WriteStartObject(token);
                json.WriteString("id", token);
                json.WriteStartArray("ids");
                json.WriteNumberValue(id);
                json.WriteEndArray();
                json.WriteStartArray("tokens");
                json.WriteStringValue(token);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(text.WrittenMemory);
        return document.RootElement.Clone();

        void WriteSequences(Utf8JsonWriter json, string name, string[] sequences)
        {
            json.WriteStartArray(name);
            foreach ((int type, string sequence) in sequences.Index())
            {
                WritePiece(json, "SpecialToken", before?.Text, type);
                WritePiece(json, "Sequence", sequence, type);
                WritePiece(json, "SpecialToken", after?.Text, type);
            }

            json.WriteEndArray();
        }
    }

    /// <summary>Reads it.</summary>
    /// <remarks>What an entry says on pairs of texts and on places in the text does not change the ids of one text.</remarks>
    /// <exception cref="InvalidDataException">Its kind is not supported, or it contradicts itself.</exception>
    public static SequenceTemplate Read(JsonElement? json)
    {
        if (json is not { ValueKind: not JsonValueKind.Null } processor)
        {
            return None;
        }

        return Text(processor, "type", Where) switch
        {
            "ByteLevel" => None,
            "TemplateProcessing" => OfTemplate(processor),
            "Sequence" => OfSequence(Get(processor, "processors", JsonValueKind.Array) ?? throw Missing($"{Where}.processors")),
            "BertProcessing" or "RobertaProcessing" => new([IdOf(processor, "cls")], [IdOf(processor, "sep")]),
            string kind => throw new InvalidDataException(
                $"{Where}.type: expected ByteLevel, TemplateProcessing, Sequence, BertProcessing or RobertaProcessing, found {kind}; this kind is not supported"),
        };
    }

    private static void WritePiece(Utf8JsonWriter json, string kind, string? id, int type)
    {
        if (id is not null)
        {
            json.WriteStartObject();
            json.WriteStartObject(kind);
            json.WriteString("id", id);
            json.WriteNumber("type_id", type);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static SequenceTemplate OfSequence(JsonElement processors)
    {
        SequenceTemplate[] all = [.. processors.EnumerateArray().Select(processor => Read(processor)).Where(template => !template.IsEmpty)];
        Throw.Unless(all.Length <= 1, $"{Where}: expected at most one processor that adds tokens, found {all.Length}; this is not supported");
        return all is [SequenceTemplate one] ? one : None;
    }

    private static SequenceTemplate OfTemplate(JsonElement template)
    {
        Dictionary<string, JsonElement> tokens = new(StringComparer.Ordinal);
        foreach (JsonProperty token in Get(template, "special_tokens", JsonValueKind.Object)?.EnumerateObject() ?? default)
        {
            tokens[token.Name] = token.Value;
        }

        List<int> before = [], after = [];
        int sequences = 0;
        foreach (JsonElement piece in (Get(template, "single", JsonValueKind.Array) ?? throw Missing($"{Where}.single")).EnumerateArray())
        {
            if (Get(piece, "Sequence", JsonValueKind.Object) is { } sequence)
            {
                Expect(sequence, "id", "A", $"{Where}.single.Sequence");
                sequences++;
            }
            else
            {
                string name = Text(Get(piece, "SpecialToken", JsonValueKind.Object) ?? throw Missing($"{Where}.single.SpecialToken"), "id", $"{Where}.single.SpecialToken");
                JsonElement token = tokens.TryGetValue(name, out JsonElement known) ? known : throw Missing($"{Where}.special_tokens.{name}");
                JsonElement ids = Get(token, "ids", JsonValueKind.Array) ?? throw Missing($"{Where}.special_tokens.{name}.ids");
                Throw.Unless(before.Count + after.Count + ids.GetArrayLength() <= MostTokens, $"{Where}: expected at most {MostTokens} tokens around a text, found more");
                (sequences == 0 ? before : after).AddRange(ids.EnumerateArray().Select(id => Id(id, $"{Where}.special_tokens.{name}.ids")));
            }
        }

        Throw.Unless(sequences == 1, $"{Where}.single: expected the sequence A once, found it {sequences} times");
        return new(before, after);
    }

    private static int IdOf(JsonElement processor, string name)
    {
        JsonElement pair = Get(processor, name, JsonValueKind.Array) ?? throw Missing($"{Where}.{name}");
        Throw.Unless(pair.GetArrayLength() == 2, $"{Where}.{name}: expected a token and its id, found {pair.GetArrayLength()} values");
        return Id(pair[1], $"{Where}.{name}");
    }
}
