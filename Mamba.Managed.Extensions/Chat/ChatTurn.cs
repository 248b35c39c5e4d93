using System.Text.Json.Nodes;
using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>One turn of a conversation: what the model reads, what it writes, and what is kept of it.</summary>
internal sealed class ChatTurn : IDisposable
{
    private readonly GenerationEngine engine;
    private readonly ReplyReader reader;
    private readonly string responseId = $"resp_{Guid.NewGuid():N}";
    private readonly string messageId = $"msg_{Guid.NewGuid():N}";
    private readonly DateTimeOffset created = DateTimeOffset.UtcNow;
    private readonly string modelId;
    private readonly string? conversationId;
    private readonly Conversation conversation;
    private readonly GenerationSession? session;
    private readonly int inputTokens;
    private readonly int cachedTokens;
    private GenerationSummary? summary;

    private ChatTurn(GenerationEngine engine, string modelId, GenerationRequest request, ToolSet? tools, Conversation conversation, string? conversationId)
    {
        (this.engine, this.modelId, this.conversation, this.conversationId) = (engine, modelId, conversation, conversationId);
        (Request, session) = (request, request.Session);
        reader = new(tools is not null, responseId.Replace("resp", "call", StringComparison.Ordinal));
        inputTokens = request.Prompt.Length + (session?.Tokens.Length ?? 0);
        cachedTokens = (int)(session?.State.Position ?? 0);
    }

    /// <summary>What the engine is asked.</summary>
    public GenerationRequest Request { get; }

    /// <summary>The response's id.</summary>
    public string ResponseId => responseId;

    /// <summary>Why the reply ended.</summary>
    public ChatFinishReason FinishReason => reader.Calls.Count > 0 ? ChatFinishReason.ToolCalls
        : summary?.FinishReason == Generation.FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;

    /// <summary>A turn of a conversation.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="modelId">What the model is called.</param>
    /// <param name="text">Makes tokens of the conversation.</param>
    /// <param name="request">What is asked, but for the prompt.</param>
    /// <param name="tools">The functions that may be called; null for none.</param>
    /// <param name="added">What was said since the last turn.</param>
    /// <param name="before">The conversation before, and the session that has read it; null for a new conversation.</param>
    /// <param name="conversationId">The id under which the conversation is kept; null where it is not.</param>
    public static ChatTurn Begin(
        GenerationEngine engine, string modelId, ConversationText text, GenerationRequest request, ToolSet? tools, Conversation added,
        (Conversation Conversation, GenerationSession Session)? before, string? conversationId)
    {
        GenerationSession? session = before?.Session;
        try
        {
            Conversation whole = added;
            int[]? prompt = null;
            if (before is { Conversation: { } earlier })
            {
                whole = new([.. earlier.Messages, .. added.Messages], added.Tools ?? earlier.Tools, added.Instructions ?? earlier.Instructions, added.Extra);
                bool isSame = whole.Instructions == earlier.Instructions && JsonNode.DeepEquals(whole.Tools, earlier.Tools);
                prompt = isSame ? text.EncodeAfter(whole, earlier.Messages.Count - 1) : null;
            }

            if (conversationId is not null && prompt is null)
            {
                // A new conversation, or one whose beginning is told anew: the model reads all of it.
                session?.Dispose();
                session = engine.CreateSession(request.Options.Seed);
            }
            else if (request.Options.Seed is ulong seed)
            {
                session?.Reseed(seed);
            }

            prompt ??= text.Encode(whole);

            // The session is this turn's own, and what was not read of a stream that is left is not kept.
            return new(engine, modelId, request with { Prompt = prompt, Session = session, ReadAhead = request.ReadAhead ?? int.MaxValue }, tools, whole, conversationId);
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    /// <summary>What is known of the reply after a token.</summary>
    public IEnumerable<ChatResponseUpdate> Append(GeneratedToken token)
    {
        summary = token.Summary;
        List<AIContent> contents = reader.Append(token.Text);
        if (summary is not null)
        {
            contents.AddRange(reader.Flush());
        }

        return contents.Select(content => Update([content], token));
    }

    /// <summary>The last update: why the reply ended, and what was used.</summary>
    /// <param name="prefix">What came from the cache of prefixes, or why nothing.</param>
    public ChatResponseUpdate End(PrefixUse prefix)
    {
        long cached = cachedTokens + prefix.CachedTokens;
        ChatResponseUpdate update = Update(
            [
                new UsageContent(new()
                {
                    InputTokenCount = inputTokens,
                    CachedInputTokenCount = cached,
                    OutputTokenCount = summary!.GeneratedTokens,
                    TotalTokenCount = inputTokens + (long)summary.GeneratedTokens,
                }),
            ],
            summary);
        update.FinishReason = FinishReason;
        update.AdditionalProperties = prefix.Outcome == PrefixOutcome.NotAsked ? null : new() { ["prefix_cache"] = prefix };
        return update;
    }

    /// <summary>Measures the whole.</summary>
    public void Measure(TelemetryOperation? operation, PrefixUse prefix)
    {
        operation?.Tag("gen_ai.response.id", responseId);
        operation?.Tag("gen_ai.response.model", modelId);
        operation?.Tag("gen_ai.response.finish_reasons", (string[])[FinishReason.Value]);
        operation?.Tag("gen_ai.conversation.id", conversationId);
        operation?.End(inputTokens, cachedTokens + prefix.CachedTokens, summary!.GeneratedTokens);
    }

    /// <summary>The conversation after the turn, as stores keep it.</summary>
    public ReadOnlyMemory<byte> ToStored()
    {
        if (summary!.FinishReason == Generation.FinishReason.EndToken && EndTokens.Contains(session!.Tokens[^1]))
        {
            // It was chosen and not read yet. The template says what ends a message.
            session.Withdraw(session.Tokens.Length - 1);
        }

        Conversation after = conversation with { Messages = [.. conversation.Messages, MessageJson.Assistant(reader.Text, reader.Calls)] };
        return StoredConversation.Encode(after, session!, engine);
    }

    /// <inheritdoc/>
    public void Dispose() => session?.Dispose();

    private IReadOnlyList<int> EndTokens => Request.Options.EndTokenIds ?? engine.Tokenizer.EndTokenIds;

    private ChatResponseUpdate Update(IList<AIContent> contents, object raw) => new(ChatRole.Assistant, contents)
    {
        ResponseId = responseId,
        MessageId = messageId,
        ConversationId = conversationId,
        CreatedAt = created,
        ModelId = modelId,
        RawRepresentation = raw,
    };
}
