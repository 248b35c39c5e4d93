using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>Parts a reply, as it comes, into text and calls of functions.</summary>
/// <param name="hasTools">Whether calls are looked for.</param>
/// <param name="callIds">What the ids of calls begin with.</param>
internal sealed class ReplyReader(bool hasTools, string callIds)
{
    // A string in JSON holds no line break, so that this is never part of an argument.
    private const string End = $"\n{ToolSet.End}";

    private static readonly JsonDocumentOptions Reading = new() { MaxDepth = 256 };

    private readonly StringBuilder all = new();
    private readonly StringBuilder text = new();
    private readonly List<FunctionCallContent> calls = [];
    private int read;
    private bool isInCall;

    /// <summary>The calls so far.</summary>
    public IReadOnlyList<FunctionCallContent> Calls => calls;

    /// <summary>The text so far, without calls.</summary>
    public string Text => text.ToString();

    /// <summary>Takes what the model wrote, and returns what is known of it now.</summary>
    public List<AIContent> Append(string written)
    {
        all.Append(written);
        int tail = Math.Min(all.Length - read, written.Length + End.Length);
        return isInCall && !all.ToString(all.Length - tail, tail).Contains(End, StringComparison.Ordinal) ? [] : Read(isEnd: false);
    }

    /// <summary>What is left at the end: also the beginning of a call that was cut off, as text.</summary>
    public List<AIContent> Flush() => Read(isEnd: true);

    private List<AIContent> Read(bool isEnd)
    {
        List<AIContent> found = [];
        string rest = all.ToString(read, all.Length - read);
        int at = 0;
        while (hasTools && rest.IndexOf(ToolSet.Begin, at, StringComparison.Ordinal) is var begin and >= 0)
        {
            int end = rest.IndexOf(End, begin, StringComparison.Ordinal);
            if (end < 0)
            {
                AddText(found, rest[at..begin]);
                at = begin;
                break;
            }

            int next = end + End.Length;
            if (Parse(rest[(begin + ToolSet.Begin.Length)..end]) is { } call)
            {
                AddText(found, rest[at..begin]);
                calls.Add(call);
                found.Add(call);
            }
            else
            {
                AddText(found, rest[at..next]);
            }

            at = next;
        }

        isInCall = hasTools && rest.AsSpan(at).StartsWith(ToolSet.Begin);
        int known = isEnd ? rest.Length : isInCall ? at : rest.Length - HeldBack(rest.AsSpan(at));
        AddText(found, rest[at..known]);
        read += known;
        return found;
    }

    // White space around calls is no text.
    private void AddText(List<AIContent> found, string part)
    {
        if (part.Length > 0 && !(calls.Count > 0 && string.IsNullOrWhiteSpace(part)))
        {
            text.Append(part);
            found.Add(new TextContent(part));
        }
    }

    private int HeldBack(ReadOnlySpan<char> rest)
    {
        for (int length = Math.Min(ToolSet.Begin.Length - 1, hasTools ? rest.Length : 0); length > 0; length--)
        {
            if (ToolSet.Begin.AsSpan().StartsWith(rest[^length..]))
            {
                return length;
            }
        }

        return 0;
    }

    private FunctionCallContent? Parse(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, Reading);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
                || !document.RootElement.TryGetProperty("arguments", out JsonElement arguments) || arguments.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            Dictionary<string, object?> values = [];
            foreach (JsonProperty argument in arguments.EnumerateObject())
            {
                values[argument.Name] = argument.Value.Clone();
            }

            return new($"{callIds}_{calls.Count}", name.GetString()!, values);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Half a surrogate pair in a string is an InvalidOperationException.
            return null;
        }
    }
}
