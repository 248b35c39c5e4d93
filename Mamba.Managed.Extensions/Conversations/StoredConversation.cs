using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mamba.Managed.Generation;

namespace Mamba.Managed.Extensions;

/// <summary>A conversation as stores keep it: what was said, and the session that has read it.</summary>
/// <remarks>
/// <code>
/// | bytes of JSON: i32, little-endian | SHA-256 of the JSON | JSON: messages, tools, instructions | the session, as <see cref="GenerationEngine.Save"/> writes it |
/// </code>
/// </remarks>
internal static class StoredConversation
{
    private const int Header = sizeof(int) + SHA256.HashSizeInBytes;
    private const string Messages = "messages";
    private const string Tools = "tools";
    private const string Instructions = "instructions";

    /// <summary>The bytes of a conversation.</summary>
    public static ReadOnlyMemory<byte> Encode(Conversation conversation, GenerationSession session, GenerationEngine engine)
    {
        using MemoryStream stream = new();
        stream.Write(new byte[Header]);
        using (Utf8JsonWriter writer = new(stream))
        {
            new JsonObject
            {
                [Messages] = new JsonArray([.. conversation.Messages.Select(message => message.DeepClone())]),
                [Tools] = conversation.Tools?.DeepClone(),
                [Instructions] = conversation.Instructions,
            }.WriteTo(writer);
        }

        Span<byte> written = stream.GetBuffer().AsSpan(0, (int)stream.Length);
        BinaryPrimitives.WriteInt32LittleEndian(written, written.Length - Header);
        SHA256.HashData(written[Header..], written[sizeof(int)..]);
        engine.Save(session, stream);
        return stream.GetBuffer().AsMemory(0, (int)stream.Length);
    }

    /// <summary>The conversation of some bytes.</summary>
    /// <exception cref="InvalidDataException">They are damaged, or of another model.</exception>
    public static (Conversation Conversation, GenerationSession Session) Decode(ReadOnlyMemory<byte> bytes, GenerationEngine engine)
    {
        int length = bytes.Length < Header ? -1 : BinaryPrimitives.ReadInt32LittleEndian(bytes.Span);
        if (length < 0 || length > bytes.Length - Header || !SHA256.HashData(bytes.Span.Slice(Header, length)).AsSpan().SequenceEqual(bytes.Span[sizeof(int)..Header]))
        {
            throw Damaged(null);
        }

        Conversation conversation = Read(bytes.Span.Slice(Header, length));
        using MemoryStream session = new(bytes[(Header + length)..].ToArray(), writable: false);
        return (conversation, engine.Restore(session));
    }

    private static Conversation Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            JsonNode? json = JsonNode.Parse(bytes, documentOptions: new() { MaxDepth = 256 });
            return json is JsonObject && json[Messages] is JsonArray { Count: > 0 } messages && messages.All(message => message is JsonObject)
                ? new([.. messages.Cast<JsonObject>()], json[Tools]?.AsArray(), (string?)json[Instructions], null)
                : throw Damaged(null);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw Damaged(error);
        }
    }

    private static InvalidDataException Damaged(Exception? cause) => new("expected a stored conversation, found other bytes; the store is damaged", cause);
}
