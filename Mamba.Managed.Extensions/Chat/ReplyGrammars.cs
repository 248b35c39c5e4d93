using System.Text;
using System.Text.Json;
using Mamba.Managed.Grammars;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>The grammars of replies: JSON, calls of functions, or speech that may end in calls. The latest are kept, with what was found out about them.</summary>
internal sealed class ReplyGrammars
{
    private const int Kept = 64;
    private const int MostCalls = 16;
    private const string Answer = "answer";

    private static readonly JsonElement AnyObject = JsonElement.Parse("""{"type":"object"}""");
    private static readonly string Speech = SpeechWithout(ToolSet.Begin);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Grammar> grammars = [];
    private readonly Queue<string> order = [];

    /// <summary>The grammar of a reply; null where any text will do.</summary>
    /// <exception cref="ArgumentException">The schema of the response format asks for something that is not supported, which the message names.</exception>
    public Grammar? Of(ChatResponseFormat? format, ToolSet? tools)
    {
        JsonElement? answer = format is ChatResponseFormatJson json ? json.Schema ?? AnyObject : null;
        if (answer is null && tools is null)
        {
            return null;
        }

        string key = Key(answer, tools);
        lock (gate)
        {
            if (grammars.TryGetValue(key, out Grammar? known))
            {
                return known;
            }
        }

        Grammar made = Make(answer, tools);
        lock (gate)
        {
            if (grammars.TryAdd(key, made))
            {
                order.Enqueue(key);
            }

            if (order.Count > Kept)
            {
                grammars.Remove(order.Dequeue());
            }
        }

        return made;
    }

    private static string Key(JsonElement? answer, ToolSet? tools)
    {
        StringBuilder key = new(answer?.GetRawText());
        key.Append('\0').Append(tools?.IsRequired).Append(tools?.AllowsMany);
        foreach (AIFunctionDeclaration function in tools?.Callable ?? [])
        {
            key.Append('\0').Append(function.Name).Append('\0').Append(function.JsonSchema.ValueKind == JsonValueKind.Undefined ? "" : function.JsonSchema.GetRawText());
        }

        return key.ToString();
    }

    private static Grammar Make(JsonElement? answer, ToolSet? tools)
    {
        Dictionary<string, JsonElement> schemas = [];
        if (answer is { } schema)
        {
            schemas[Answer] = schema;
        }

        try
        {
            if (tools is null)
            {
                return Grammar.OfJsonSchema(schemas[Answer]);
            }

            string calls = Calls(tools, schemas);
            string root = tools.IsRequired ? "root ::= calls\n" : answer is null ? $"root ::= speech calls?\n{Speech}" : $"root ::= {Answer} | calls\n";
            return Grammar.Parse(root + calls, schemas);
        }
        catch (InvalidDataException error) when (answer is not null)
        {
            throw new ArgumentException($"response format: {error.Message}", nameof(answer), error);
        }
    }

    private static string Calls(ToolSet tools, Dictionary<string, JsonElement> schemas)
    {
        StringBuilder gbnf = new();
        gbnf.Append("calls ::= call").Append(tools.AllowsMany ? $" (\"\\n\" call){{0,{MostCalls - 1}}}" : "").Append('\n');
        gbnf.Append("call ::= ").Append(Literal($"{ToolSet.Begin}\n{{\"name\": ")).Append(" (").AppendJoin(" | ", tools.Callable.Select((_, i) => $"tool-{i}"))
            .Append(") ").Append(Literal($"}}\n{ToolSet.End}")).Append('\n');
        foreach ((int i, AIFunctionDeclaration function) in tools.Callable.Index())
        {
            gbnf.Append($"tool-{i} ::= ").Append(Literal($"{JsonSerializer.Serialize(function.Name, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(string)))}, \"arguments\": ")).Append($" arguments-{i}\n");
            schemas[$"arguments-{i}"] = Arguments(function);
        }

        return gbnf.ToString();
    }

    // A schema that asks for more than grammars do is no reason to refuse the function, which checks its arguments itself: they are any object then.
    private static JsonElement Arguments(AIFunctionDeclaration function)
    {
        if (function.JsonSchema.ValueKind != JsonValueKind.Object || !function.JsonSchema.EnumerateObject().Any())
        {
            return AnyObject;
        }

        try
        {
            _ = Grammar.OfJsonSchema(function.JsonSchema);
            return function.JsonSchema;
        }
        catch (InvalidDataException)
        {
            return AnyObject;
        }
    }

    // Any text in which the tag does not occur. Its first character occurs in it once, so that a text that leaves the tag begins anew with that character alone.
    private static string SpeechWithout(string tag)
    {
        StringBuilder parts = new(), leaves = new();
        for (int length = 1; length < tag.Length; length++)
        {
            parts.Append(length > 1 ? " | " : "").Append(Literal(tag[1..length]));
            leaves.Append(length > 1 ? " | " : "").Append(Literal(tag[1..length])).Append($" [^{tag[0]}{tag[length]}]");
        }

        string first = Literal(tag[..1]);
        return $"speech ::= ([^{tag[0]}] | ({first} ({parts}))* {first} ({leaves}))* ({first} ({parts}))*\n";
    }

    private static string Literal(string text)
    {
        StringBuilder literal = new("\"");
        foreach (char letter in text)
        {
            _ = letter switch
            {
                '"' => literal.Append("\\\""),
                '\\' => literal.Append("\\\\"),
                '\n' => literal.Append("\\n"),
                '\r' => literal.Append("\\r"),
                _ => literal.Append(letter),
            };
        }

        return literal.Append('"').ToString();
    }
}
