using System.Text;
using Mamba.Managed.Generation.Prefixes;

namespace Mamba.Managed.Generation;

/// <summary>Why generation ended.</summary>
public enum FinishReason
{
    /// <summary>The limit <see cref="GenerationOptions.MaxTokens"/> was reached.</summary>
    Length,

    /// <summary>A stop string appeared.</summary>
    Stop,

    /// <summary>The model chose an end token, or nothing else could follow by the request's constraint.</summary>
    EndToken,
}

/// <summary>Counts and times of a generation.</summary>
/// <param name="FinishReason">Why it ended.</param>
/// <param name="PromptTokens">Tokens of the prompt, those that came from a cache included.</param>
/// <param name="GeneratedTokens">Tokens chosen, an end token included.</param>
/// <param name="PromptTime">Time to the end of the prompt.</param>
/// <param name="GenerationTime">Time after that, waiting for other requests and for a reader who asks for each token included.</param>
public sealed record GenerationSummary(
    FinishReason FinishReason, int PromptTokens, int GeneratedTokens, TimeSpan PromptTime, TimeSpan GenerationTime)
{
    /// <summary>Tokens at the beginning of the text that came from a cache and were not fed, or why none were.</summary>
    public PrefixUse Prefix { get; init; }

    /// <summary>Prompt tokens that were fed a second; 0 for none.</summary>
    public double PromptTokensPerSecond => Rate(Math.Max(0, PromptTokens - Prefix.CachedTokens), PromptTime);

    /// <summary>Generated tokens a second; 0 for none.</summary>
    public double GeneratedTokensPerSecond => Rate(GeneratedTokens, GenerationTime);

    private static double Rate(int count, TimeSpan time) => count == 0 ? 0 : count / Math.Max(time.TotalSeconds, 1e-9);
}

/// <summary>A token of a stream.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">The text that it completes: empty while a character is incomplete, or while the end of the text may become a stop string.</param>
/// <param name="LogProbability">The logarithm of the model's own probability for it, in nats; null unless requested.</param>
/// <param name="Top">The most likely tokens, most likely first; empty unless requested.</param>
/// <param name="Summary">Counts and times of the generation, with its last token; null with every other.</param>
public readonly record struct GeneratedToken(
    int Id, string Text, float? LogProbability, IReadOnlyList<TokenLogProbability> Top, GenerationSummary? Summary);

/// <summary>What was generated.</summary>
/// <param name="Text">The new text, without the prompt and without a stop string.</param>
/// <param name="Tokens">The chosen ids, those of an end token or a stop string included.</param>
/// <param name="Summary">Counts and times.</param>
public sealed record GenerationResult(string Text, IReadOnlyList<int> Tokens, GenerationSummary Summary)
{
    /// <summary>Why generation ended.</summary>
    public FinishReason FinishReason => Summary.FinishReason;
}

/// <summary>Collects a stream.</summary>
internal sealed class GenerationResultBuilder
{
    private readonly StringBuilder text = new();
    private readonly List<int> tokens = [];
    private GenerationSummary? summary;

    /// <summary>Adds the next token.</summary>
    public void Add(GeneratedToken token)
    {
        text.Append(token.Text);
        tokens.Add(token.Id);
        summary = token.Summary;
    }

    /// <summary>The result, after the last token.</summary>
    public GenerationResult Build() => new(text.ToString(), tokens, summary!);
}
