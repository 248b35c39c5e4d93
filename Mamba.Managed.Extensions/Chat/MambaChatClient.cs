using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Mamba.Managed.Generation;
using Mamba.Managed.Grammars;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>Talks with a model in this process: <see cref="IChatClient"/> over a <see cref="GenerationEngine"/>, used by any number of threads at once.</summary>
/// <remarks>
/// What users and functions write is text: control tokens in it do not count. A reply is held to the response format, and calls of functions to their
/// schemas, by grammars; a function whose schema asks for more than they do takes any object. A conversation is kept between turns where a request
/// names it by <see cref="ChatOptions.ConversationId"/>, or begins one with <c>store</c> in <see cref="ChatOptions.AdditionalProperties"/>: each turn
/// then reads only what is new. Further properties there: <c>min_p</c>, <c>repetition_penalty</c>, <c>tenant</c>, <c>priority</c>, and
/// <c>chat_template_kwargs</c>, variables of the template; others have no meaning here.
/// Where the engine has a cache of prefixes, the last update says under <c>prefix_cache</c> what came from it (a <see cref="Generation.Prefixes.PrefixUse"/>).
/// <see cref="ChatOptions.RawRepresentationFactory"/> may give a <see cref="GenerationRequest"/> to begin with.
/// </remarks>
public sealed class MambaChatClient : IChatClient
{
    private readonly MambaModel model;
    private readonly GenerationEngine engine;
    private readonly MambaChatClientOptions options;
    private readonly IChatTemplate template;
    private readonly ISessionStore sessions;
    private readonly ConversationText text;
    private readonly ChatClientMetadata metadata;
    private readonly ReplyGrammars grammars = new();
    private readonly ConcurrentDictionary<string, bool> underWay = [];

    /// <summary>A client of a model.</summary>
    /// <param name="model">The model, which outlives the client.</param>
    /// <param name="engine">The engine of that model, which outlives the client.</param>
    /// <param name="options">What else the client works with; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="InvalidDataException">The model's template is malformed, or has something that is not supported.</exception>
    public MambaChatClient(MambaModel model, GenerationEngine engine, MambaChatClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(engine);
        (this.model, this.engine, this.options) = (model, engine, options ?? new());
        this.options.Defaults.Validate(model.Tokenizer.VocabularySize);
        template = this.options.Template ?? JinjaTemplate.Of(model);
        sessions = this.options.Sessions ?? new MemorySessionStore();
        text = new(template, model.Tokenizer);
        metadata = new(MambaTelemetry.Provider, null, model.Name);
    }

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
            updates.Add(update);
        }

        ChatResponse response = updates.ToChatResponse();
        response.RawRepresentation = updates[^1].RawRepresentation;
        response.AdditionalProperties ??= updates[^1].AdditionalProperties;
        return response;
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">A message or an option asks for something that a model of text cannot do, which the error names.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or the response format is not supported.</exception>
    /// <exception cref="InvalidOperationException">There is no conversation of the id, or another request is continuing it.</exception>
    /// <exception cref="QueueFullException">As many requests are queued as may be.</exception>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Measured([.. messages], options, cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        object?[] services = [this, metadata, engine, model, sessions, model.Tokenizer];
        return serviceKey is null ? services.FirstOrDefault(serviceType.IsInstanceOfType) : null;
    }

    /// <summary>Nothing: model and engine are others'.</summary>
    public void Dispose()
    {
    }

    private async IAsyncEnumerable<ChatResponseUpdate> Measured(ChatMessage[] messages, ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using TelemetryOperation? operation = this.options.Telemetry?.Begin("chat", model.Name);
        operation?.Tag("gen_ai.request.max_tokens", options?.MaxOutputTokens);
        operation?.Tag("gen_ai.request.temperature", options?.Temperature);
        operation?.Tag("gen_ai.request.top_p", options?.TopP);
        operation?.Tag("gen_ai.request.seed", options?.Seed);
        await using IAsyncEnumerator<ChatResponseUpdate> updates = Reply(messages, options, operation, cancellationToken).GetAsyncEnumerator(CancellationToken.None);
        while (true)
        {
            try
            {
                if (!await updates.MoveNextAsync().ConfigureAwait(false))
                {
                    yield break;
                }
            }
            catch (Exception error)
            {
                operation?.Fail(error);
                throw;
            }

            yield return updates.Current;
        }
    }

    private async IAsyncEnumerable<ChatResponseUpdate> Reply(
        ChatMessage[] messages, ChatOptions? options, TelemetryOperation? operation, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ToolSet? tools = ToolSet.Of(options);
        GenerationRequest request = RequestOf(options, tools);
        string? id = options?.ConversationId;
        if (id is not null && !underWay.TryAdd(id, true))
        {
            throw new InvalidOperationException($"conversation '{id}': expected no other request that continues it, found one; wait for its end");
        }

        try
        {
            (Conversation Conversation, GenerationSession Session)? before = id is null ? null : await ReadAsync(id, cancellationToken).ConfigureAwait(false);
            string? kept = id ?? (ChatRequest.Stores(options) ? $"conv_{Guid.NewGuid():N}" : null);
            Conversation added = Added(messages, options, tools, before);
            using ChatTurn turn = ChatTurn.Begin(engine, model.Name, text, request, tools, added, before, kept);
            GenerationStream tokens = engine.Stream(turn.Request, cancellationToken);
            await foreach (GeneratedToken token in tokens.ConfigureAwait(false))
            {
                operation?.Token();
                foreach (ChatResponseUpdate update in turn.Append(token))
                {
                    yield return update;
                }
            }

            if (kept is not null)
            {
                await sessions.WriteAsync(kept, turn.ToStored(), cancellationToken).ConfigureAwait(false);
            }

            turn.Measure(operation, tokens.Usage.Prefix);
            yield return turn.End(tokens.Usage.Prefix);
        }
        finally
        {
            if (id is not null)
            {
                underWay.TryRemove(id, out _);
            }
        }
    }

    private GenerationRequest RequestOf(ChatOptions? asked, ToolSet? tools)
    {
        if (asked?.ModelId is { } modelId && modelId != model.Name)
        {
            throw new ArgumentException($"expected the model '{model.Name}', found '{modelId}'; ask the client of that model", nameof(asked));
        }

        GenerationRequest request = ChatRequest.Of(this, asked, options.Defaults, template.Stop);
        if (grammars.Of(asked?.ResponseFormat, tools) is not Grammar grammar)
        {
            return request;
        }

        return request.Constraint is null
            ? request with { Constraint = new GrammarConstraint(grammar, model.Vocabulary, request.Options.EndTokenIds ?? model.Tokenizer.EndTokenIds) }
            : throw new ArgumentException("expected either a response format or tools, or a constraint of the request's own, found both", nameof(asked));
    }

    private async Task<(Conversation Conversation, GenerationSession Session)> ReadAsync(string id, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> stored = await sessions.ReadAsync(id, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"conversation '{id}': expected one that is kept, found none; it was never begun, has expired or had to make room, so begin a new one");
        return StoredConversation.Decode(stored, engine);
    }

    private static Conversation Added(ChatMessage[] messages, ChatOptions? asked, ToolSet? tools, (Conversation Conversation, GenerationSession Session)? before)
    {
        try
        {
            return new(MessageJson.Of(messages, before?.Conversation.Messages ?? []), tools?.ToJson(), asked?.Instructions, ChatRequest.Variables(asked));
        }
        catch
        {
            before?.Session.Dispose();
            throw;
        }
    }
}
