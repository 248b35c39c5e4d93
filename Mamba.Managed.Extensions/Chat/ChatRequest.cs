using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mamba.Managed.Generation;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>What the options of a chat ask of the engine.</summary>
internal static class ChatRequest
{
    private const string TemplateVariables = "chat_template_kwargs";
    private const string Store = "store";

    /// <summary>The request, without its prompt.</summary>
    /// <param name="client">Whom a factory of requests is given.</param>
    /// <param name="options">The options; null for none.</param>
    /// <param name="defaults">What counts where the options say nothing.</param>
    /// <param name="stops">Texts at which the template stops a model.</param>
    /// <exception cref="ArgumentException">An option is of the wrong type or out of range.</exception>
    /// <exception cref="NotSupportedException">An option asks for what this client does not do.</exception>
    public static GenerationRequest Of(IChatClient client, ChatOptions? options, GenerationOptions defaults, IReadOnlyList<string> stops)
    {
        GenerationRequest raw = Raw(client, options) ?? new(default) { Options = defaults };
        if (options?.ContinuationToken is not null)
        {
            throw new NotSupportedException("expected a request without a continuation token, found one; this client answers at once, and has no responses in the background");
        }

        GenerationOptions given = raw.Options;
        return raw with
        {
            Tenant = Text(options, "tenant") ?? raw.Tenant,
            Priority = (int?)Number(options, "priority") ?? raw.Priority,
            Options = given with
            {
                MaxTokens = options?.MaxOutputTokens ?? given.MaxTokens,
                Temperature = options?.Temperature ?? given.Temperature,
                TopP = options?.TopP ?? given.TopP,
                TopK = options?.TopK ?? given.TopK,
                MinP = (float?)Number(options, "min_p") ?? given.MinP,
                RepetitionPenalty = (float?)Number(options, "repetition_penalty") ?? given.RepetitionPenalty,
                FrequencyPenalty = options?.FrequencyPenalty ?? given.FrequencyPenalty,
                PresencePenalty = options?.PresencePenalty ?? given.PresencePenalty,
                Seed = options?.Seed is long seed ? unchecked((ulong)seed) : given.Seed,
                Stop = [.. given.Stop.Concat(options?.StopSequences ?? []).Concat(stops).Distinct()],
            },
        };
    }

    /// <summary>The variables that a request adds to the template's.</summary>
    public static JsonObject? Variables(ChatOptions? options) => Value(options, TemplateVariables) switch
    {
        null => null,
        JsonObject members => members,
        JsonElement { ValueKind: JsonValueKind.Object } element => JsonObject.Create(element),
        IEnumerable<KeyValuePair<string, object?>> pairs => (JsonObject?)JsonSerializer.SerializeToNode(
            new Dictionary<string, object?>(pairs), AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))),
        object other => throw Wrong(TemplateVariables, "an object", other),
    };

    /// <summary>Whether the conversation is to be stored although the request names none.</summary>
    public static bool Stores(ChatOptions? options) => Value(options, Store) switch
    {
        null => false,
        bool value => value,
        JsonElement { ValueKind: JsonValueKind.True or JsonValueKind.False } element => element.GetBoolean(),
        object other => throw Wrong(Store, "true or false", other),
    };

    private static GenerationRequest? Raw(IChatClient client, ChatOptions? options)
    {
        object? made = options?.RawRepresentationFactory?.Invoke(client);
        if (made is null)
        {
            return null;
        }

        if (made is not GenerationRequest request)
        {
            throw new ArgumentException($"expected a {nameof(GenerationRequest)} from {nameof(ChatOptions.RawRepresentationFactory)}, found {made.GetType().Name}", nameof(options));
        }

        if (!request.Prompt.IsEmpty || request.Session is not null)
        {
            throw new ArgumentException(
                "expected a request without a prompt and a session, found one with; the messages make the prompt, and the conversation id names the session", nameof(options));
        }

        return request;
    }

    private static object? Value(ChatOptions? options, string name) => options?.AdditionalProperties?.GetValueOrDefault(name);

    private static string? Text(ChatOptions? options, string name) => Value(options, name) switch
    {
        null => null,
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString(),
        object other => throw Wrong(name, "a text", other),
    };

    private static double? Number(ChatOptions? options, string name) => Value(options, name) switch
    {
        null => null,
        JsonElement { ValueKind: JsonValueKind.Number } element => element.GetDouble(),
        int or long or float or double or decimal => Convert.ToDouble(Value(options, name), CultureInfo.InvariantCulture),
        object other => throw Wrong(name, "a number", other),
    };

    private static ArgumentException Wrong(string name, string expected, object found) =>
        new($"{nameof(ChatOptions.AdditionalProperties)}[\"{name}\"]: expected {expected}, found {found.GetType().Name}", name);
}
