using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>Turns messages into the JSON that chat templates read.</summary>
internal static class MessageJson
{
    /// <summary>The role of a function's result.</summary>
    public const string ToolRole = "tool";

    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The messages, without those that hold nothing; each result of a function is one of its own.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="before">What was said before them, with the calls whose results they may hold.</param>
    /// <exception cref="NotSupportedException">A message holds something that a model of text cannot read, which the message names.</exception>
    public static List<JsonObject> Of(IEnumerable<ChatMessage> messages, IEnumerable<JsonObject> before)
    {
        List<JsonObject> all = [];
        Dictionary<string, string> names = [];
        foreach (JsonNode? call in before.SelectMany(message => message["tool_calls"] as JsonArray ?? []))
        {
            names[(string)call!["id"]!] = (string)call["function"]!["name"]!;
        }

        foreach (ChatMessage message in messages)
        {
            Add(message, all, names);
        }

        return all;
    }

    /// <summary>What an assistant said and called.</summary>
    public static JsonObject Assistant(string text, IReadOnlyList<FunctionCallContent> calls)
    {
        JsonObject said = new() { ["role"] = ChatRole.Assistant.Value, ["content"] = text };
        if (calls.Count > 0)
        {
            said["tool_calls"] = new JsonArray([.. calls.Select(CallOf)]);
        }

        return said;
    }

    /// <summary>A value in JSON, with letters of every script as they are.</summary>
    public static string Write(JsonNode? value)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter writer = new(bytes, Writing))
        {
            if (value is null)
            {
                writer.WriteNullValue();
            }
            else
            {
                value.WriteTo(writer);
            }
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private static void Add(ChatMessage message, List<JsonObject> all, Dictionary<string, string> names)
    {
        StringBuilder text = new(), reasoning = new();
        List<FunctionCallContent> calls = [];
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent part:
                    text.Append(part.Text);
                    break;
                case TextReasoningContent part:
                    reasoning.Append(part.Text);
                    break;
                case FunctionCallContent call:
                    calls.Add(call);
                    names[call.CallId] = call.Name;
                    break;
                case FunctionResultContent result:
                    all.Add(ResultOf(result, names.GetValueOrDefault(result.CallId)));
                    break;
                case UsageContent:
                    break;
                default:
                    throw new NotSupportedException(
                        $"expected text, function calls and their results, found {NameOf(content)} in a message of the role {message.Role}; this model reads text alone");
            }
        }

        if (text.Length + reasoning.Length + calls.Count > 0)
        {
            JsonObject said = Assistant(text.ToString(), calls);
            said["role"] = message.Role.Value;
            if (reasoning.Length > 0)
            {
                said["reasoning_content"] = reasoning.ToString();
            }

            all.Add(said);
        }
    }

    private static string NameOf(AIContent content) => content switch
    {
        DataContent data => $"{nameof(DataContent)} ({data.MediaType})",
        UriContent uri => $"{nameof(UriContent)} ({uri.MediaType})",
        _ => content.GetType().Name,
    };

    private static JsonNode CallOf(FunctionCallContent call) => new JsonObject
    {
        ["type"] = "function",
        ["id"] = call.CallId,
        ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = ToNode(call.Arguments) ?? new JsonObject() },
    };

    private static JsonObject ResultOf(FunctionResultContent result, string? name)
    {
        JsonNode? value = ToNode(result.Result);
        JsonObject said = new()
        {
            ["role"] = ToolRole,
            ["tool_call_id"] = result.CallId,
            ["content"] = value is JsonValue text && text.GetValueKind() == JsonValueKind.String ? (string?)text : Write(value),
        };
        if (name is not null)
        {
            said["name"] = name;
        }

        return said;
    }

    private static JsonNode? ToNode(object? value) => value switch
    {
        null => null,
        JsonNode node => node.DeepClone(),
        JsonElement { ValueKind: JsonValueKind.Undefined } => null,
        _ => JsonSerializer.SerializeToNode(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))),
    };
}
