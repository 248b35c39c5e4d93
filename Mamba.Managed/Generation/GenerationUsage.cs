using Mamba.Managed.Generation.Prefixes;

namespace Mamba.Managed.Generation;

/// <summary>What a request has used so far, whether it ends, is canceled or fails.</summary>
/// <param name="PromptTokens">Tokens before the first that was chosen: those of the prompt, and those of a session whose state had not seen them.</param>
/// <param name="GeneratedTokens">Tokens chosen, an end token included.</param>
public readonly record struct GenerationUsage(int PromptTokens, int GeneratedTokens)
{
    /// <summary>Tokens at the beginning of the text that came from a cache and were not fed, or why none were.</summary>
    public PrefixUse Prefix { get; init; }
}
