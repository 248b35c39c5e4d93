namespace Mamba.Managed.Generation;

/// <summary>How tokens are chosen and when generation ends.</summary>
/// <remarks>
/// The logits of a step pass, in this order: penalties, bias, temperature, top-k, top-p, min-p; then one token is drawn.
/// Every default leaves the model's own distribution as it is.
/// </remarks>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to generate; at least 1.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>0 takes the most likely token, among equals the one with the lowest id; 1 is the model's own distribution; higher values flatten it.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps this many of the most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the fewest most likely tokens whose probabilities sum to at least this; 1 keeps all.</summary>
    /// <remarks>Holtzman et al. 2020, nucleus sampling. Probabilities are taken among what top-k kept.</remarks>
    public float TopP { get; init; } = 1;

    /// <summary>Keeps tokens whose probability is at least this fraction of the highest; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>For tokens that occur in the text so far, positive logits are divided by this and negative ones multiplied; 1 changes nothing.</summary>
    /// <remarks>Keskar et al. 2019, CTRL, section 4.1.</remarks>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from a token's logit for each time that it was generated; prompts do not count.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted from a token's logit once it was generated; prompts do not count.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Added to the logits of single tokens, by id; negative infinity forbids a token.</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = new Dictionary<int, float>();

    /// <summary>The same seed gives the same tokens; null draws a seed for each session.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Texts before which generation ends; they may span tokens and are not part of the output.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens that end generation; null for the tokenizer's own, an empty list for none.</summary>
    public IReadOnlyList<int>? EndTokenIds { get; init; }

    /// <summary>How many of the most likely tokens to report with each token, beside its own log-probability; null for neither.</summary>
    public int? LogProbs { get; init; }

    /// <summary>Checks every value for a vocabulary and returns these options.</summary>
    /// <param name="vocabularySize">One more than the largest token id.</param>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, the value and the range.</exception>
    public GenerationOptions Validate(int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(LogitBias);
        ArgumentNullException.ThrowIfNull(Stop);
        Throw.UnlessOption(MaxTokens >= 1, nameof(MaxTokens), "1 or more", MaxTokens);
        Throw.UnlessOption(Temperature is >= 0 and <= 1e6f, nameof(Temperature), "0 to 1e6", Temperature);
        Throw.UnlessOption(TopK >= 0, nameof(TopK), "0 or more", TopK);
        Throw.UnlessOption(TopP is > 0 and <= 1, nameof(TopP), "more than 0, at most 1", TopP);
        Throw.UnlessOption(MinP is >= 0 and <= 1, nameof(MinP), "0 to 1", MinP);
        Throw.UnlessOption(RepetitionPenalty is >= 1e-3f and <= 1e3f, nameof(RepetitionPenalty), "0.001 to 1000", RepetitionPenalty);
        Throw.UnlessOption(FrequencyPenalty is >= -1e3f and <= 1e3f, nameof(FrequencyPenalty), "-1000 to 1000", FrequencyPenalty);
        Throw.UnlessOption(PresencePenalty is >= -1e3f and <= 1e3f, nameof(PresencePenalty), "-1000 to 1000", PresencePenalty);
        Throw.UnlessOption(LogProbs is null || (LogProbs >= 0 && LogProbs <= vocabularySize), nameof(LogProbs), Throw.Invariant($"0 to {vocabularySize}"), LogProbs);
        string ids = Throw.Invariant($"token ids from 0 to {vocabularySize - 1}");
        foreach ((int token, float bias) in LogitBias)
        {
            Throw.UnlessOption((uint)token < (uint)vocabularySize, nameof(LogitBias), ids, token);
            Throw.UnlessOption(bias is float.NegativeInfinity or (>= -1e6f and <= 1e6f), nameof(LogitBias), "negative infinity or -1e6 to 1e6", bias);
        }

        foreach (int token in EndTokenIds ?? [])
        {
            Throw.UnlessOption((uint)token < (uint)vocabularySize, nameof(EndTokenIds), ids, token);
        }

        foreach (string? stop in Stop)
        {
            Throw.UnlessOption(!string.IsNullOrEmpty(stop), nameof(Stop), "texts of at least one character", "an empty one");
        }

        return this;
    }
}
