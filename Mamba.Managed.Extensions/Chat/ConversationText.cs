using System.Text.Json;
using System.Text.Json.Nodes;
using Mamba.Managed.Generation;
using Mamba.Managed.Tokenizers;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>What a conversation is made of: messages, the tools that they may call, what the request adds for the template.</summary>
/// <param name="Messages">As <see cref="MessageJson"/> makes them.</param>
/// <param name="Tools">As <see cref="ToolSet.ToJson"/> makes them; null for none.</param>
/// <param name="Instructions">What comes before everything, in the system message; null for nothing.</param>
/// <param name="Extra">More variables of the template.</param>
internal sealed record Conversation(IReadOnlyList<JsonObject> Messages, JsonArray? Tools, string? Instructions, JsonObject? Extra);

/// <summary>Turns conversations into tokens: the template's control tokens count, those that users wrote are text.</summary>
internal sealed class ConversationText(IChatTemplate template, Tokenizer tokenizer)
{
    // A noncharacter of Unicode, which stands for what the model wrote last.
    private const string Reply = "\uFDDF";

    private readonly string begin = tokenizer.Decode(tokenizer.Encode("", addSpecialTokens: true, controlTokens: false));
    private readonly string end = tokenizer.EndTokenId is int id ? tokenizer.Decode([id]) : "";

    /// <summary>The tokens of a conversation, up to where the assistant begins to speak.</summary>
    /// <exception cref="ArgumentException">The conversation is empty.</exception>
    public int[] Encode(Conversation conversation)
    {
        int[] tokens = tokenizer.EncodeMarked(Render(conversation), addSpecialTokens: !template.WritesSpecialTokens);
        return tokens.Length > 0 ? tokens : throw new ArgumentException("expected a conversation with some text, found none; give at least one message", nameof(conversation));
    }

    /// <summary>The tokens that follow what the model wrote last, up to where it begins to speak again; null where the template does not let them be told apart.</summary>
    /// <param name="conversation">All of it.</param>
    /// <param name="last">The index of the message that the model wrote last.</param>
    public int[]? EncodeAfter(Conversation conversation, int last)
    {
        JsonObject[] messages = [.. conversation.Messages];
        if (Array.Exists(messages, message => Holds(message, Reply)))
        {
            return null;
        }

        messages[last] = new() { ["role"] = ChatRole.Assistant.Value, ["content"] = Reply };
        string text;
        try
        {
            text = Render(conversation with { Messages = messages });
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // A template may refuse results of a call that it does not see; it is asked for the whole conversation then.
            return null;
        }

        int at = text.LastIndexOf(Reply, StringComparison.Ordinal);
        return at < 0 || text.IndexOf(Reply, StringComparison.Ordinal) != at ? null : tokenizer.EncodeMarked(text[(at + Reply.Length)..], addSpecialTokens: false);
    }

    private string Render(Conversation conversation)
    {
        bool speaksOfTools = conversation.Tools is not null && !template.DescribesTools;
        string?[] instructions = [conversation.Instructions, speaksOfTools ? ToolSet.Description(conversation.Tools!) : null];
        List<JsonObject> messages = [.. conversation.Messages.Select(message => template.DescribesTools ? (JsonObject)message.DeepClone() : ToolSet.Spoken(message))];
        string system = string.Join("\n\n", instructions.Where(text => !string.IsNullOrEmpty(text)));
        if (system.Length > 0)
        {
            if (messages.Count > 0 && (string?)messages[0]["role"] == ChatRole.System.Value)
            {
                messages[0]["content"] = $"{system}\n\n{(string?)messages[0]["content"]}";
            }
            else
            {
                messages.Insert(0, new() { ["role"] = ChatRole.System.Value, ["content"] = system });
            }
        }

        JsonObject variables = new()
        {
            ["messages"] = Mark(new JsonArray([.. messages])),
            ["add_generation_prompt"] = true,
            ["bos_token"] = begin,
            ["eos_token"] = end,
        };
        if (conversation.Tools is not null && template.DescribesTools)
        {
            variables["tools"] = Mark(conversation.Tools);
        }

        foreach ((string name, JsonNode? value) in conversation.Extra ?? [])
        {
            variables[name] = Mark(value);
        }

        return template.Render(variables);
    }

    // Half a surrogate pair becomes U+FFFD, as it does when it is encoded.
    private static string Whole(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0 ? text : string.Concat(text.EnumerateRunes());

    private static bool Holds(JsonNode? value, string part) => value switch
    {
        JsonObject members => members.Any(member => Holds(member.Value, part)),
        JsonArray items => items.Any(item => Holds(item, part)),
        JsonValue text when text.GetValueKind() == JsonValueKind.String => ((string)text!).Contains(part, StringComparison.Ordinal),
        _ => false,
    };

    private JsonNode? Mark(JsonNode? value) => value switch
    {
        JsonObject members => new JsonObject(members.Select(member => KeyValuePair.Create(Whole(member.Key), Mark(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Mark)]),
        JsonValue text when text.GetValueKind() == JsonValueKind.String => JsonValue.Create((string?)text == Reply ? Reply : tokenizer.MarkLiteral(Whole((string)text!))),
        _ => value?.DeepClone(),
    };
}
