using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>The functions that a request offers to the model, and whether it must call one.</summary>
/// <remarks>
/// A call is written <c>&lt;tool_call&gt;</c>, a line with <c>{"name": ..., "arguments": {...}}</c>, <c>&lt;/tool_call&gt;</c>, as the templates of
/// Hermes and Qwen ask for. For a template that says nothing of tools, <see cref="Description"/> says so in the system message.
/// </remarks>
internal sealed class ToolSet
{
    /// <summary>Begins a call.</summary>
    public const string Begin = "<tool_call>";

    /// <summary>Ends a call.</summary>
    public const string End = "</tool_call>";

    private const string ResponseBegin = "<tool_response>\n";
    private const string ResponseEnd = "\n</tool_response>";

    private ToolSet(IReadOnlyList<AIFunctionDeclaration> functions, IReadOnlyList<AIFunctionDeclaration> callable, bool isRequired, bool allowsMany) =>
        (Functions, Callable, IsRequired, AllowsMany) = (functions, callable, isRequired, allowsMany);

    /// <summary>The functions that the model is told of.</summary>
    public IReadOnlyList<AIFunctionDeclaration> Functions { get; }

    /// <summary>Those that it may call.</summary>
    public IReadOnlyList<AIFunctionDeclaration> Callable { get; }

    /// <summary>Whether it must call one.</summary>
    public bool IsRequired { get; }

    /// <summary>Whether it may call several in one reply.</summary>
    public bool AllowsMany { get; }

    /// <summary>The functions of a request; null where it offers none.</summary>
    /// <exception cref="NotSupportedException">A tool is no function.</exception>
    /// <exception cref="ArgumentException">Two functions have one name, or one is required that is not there.</exception>
    public static ToolSet? Of(ChatOptions? options)
    {
        if (options?.Tools is not { Count: > 0 } tools || options.ToolMode is NoneChatToolMode)
        {
            return options?.ToolMode is not RequiredChatToolMode ? null
                : throw new ArgumentException("expected tools for a tool mode that requires a call, found none; add functions to the tools of the options", nameof(options));
        }

        AIFunctionDeclaration[] functions = [.. tools.Select(tool => tool as AIFunctionDeclaration
            ?? throw new NotSupportedException($"expected functions as tools, found {tool.GetType().Name} '{tool.Name}', which this model cannot use"))];
        if (functions.GroupBy(function => function.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new ArgumentException($"expected tools of different names, found '{twice.Key}' twice", nameof(options));
        }

        string? required = (options.ToolMode as RequiredChatToolMode)?.RequiredFunctionName;
        AIFunctionDeclaration[] callable = required is null ? functions : Array.FindAll(functions, function => function.Name == required);
        return callable.Length > 0 ? new(functions, callable, options.ToolMode is RequiredChatToolMode, options.AllowMultipleToolCalls != false)
            : throw new ArgumentException($"expected a tool named '{required}', which the tool mode requires, found only {string.Join(", ", functions.Take(12).Select(function => function.Name))}", nameof(options));
    }

    /// <summary>The functions as templates read them.</summary>
    public JsonArray ToJson() => new([.. Functions.Select(Describe)]);

    /// <summary>What the system message says of the functions, for templates that do not.</summary>
    public static string Description(JsonArray tools)
    {
        StringBuilder text = new("You may call functions. They are described here, one on each line:\n");
        foreach (JsonNode? tool in tools)
        {
            text.Append(MessageJson.Write(tool)).Append('\n');
        }

        return text.Append("To call a function, write its name and its arguments as JSON in this way:\n")
            .Append(Begin).Append("\n{\"name\": \"function\", \"arguments\": {}}\n").Append(End).ToString();
    }

    /// <summary>A message for a template that says nothing of tools: calls are part of its text, and a result is what a user says.</summary>
    public static JsonObject Spoken(JsonObject message)
    {
        JsonObject spoken = (JsonObject)message.DeepClone();
        if (spoken["tool_calls"] is JsonArray calls)
        {
            spoken.Remove("tool_calls");
            IEnumerable<string> written = calls.Select(call => $"{Begin}\n{MessageJson.Write(Call(call!["function"]!))}\n{End}");
            spoken["content"] = string.Join('\n', ((string[])[(string?)spoken["content"] ?? ""]).Where(text => text.Length > 0).Concat(written));
        }
        else if ((string?)spoken["role"] == MessageJson.ToolRole)
        {
            spoken = new() { ["role"] = ChatRole.User.Value, ["content"] = ResponseBegin + (string?)spoken["content"] + ResponseEnd };
        }

        return spoken;
    }

    private static JsonObject Call(JsonNode function) => new() { ["name"] = function["name"]!.DeepClone(), ["arguments"] = function["arguments"]!.DeepClone() };

    private static JsonNode Describe(AIFunctionDeclaration function) => new JsonObject
    {
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = function.Name,
            ["description"] = function.Description,
            ["parameters"] = function.JsonSchema.ValueKind == JsonValueKind.Object ? JsonObject.Create(function.JsonSchema)!.DeepClone() : new JsonObject(),
        },
    };
}
