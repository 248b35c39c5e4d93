namespace Mamba.Managed.Generation;

/// <summary>Which tokens a text holds, and how often each was generated.</summary>
internal sealed class TokenCounts(int vocabularySize)
{
    // A token's entry is -1 while the text does not hold it, otherwise how often it was generated.
    private readonly int[] generatedTimes = [.. Enumerable.Repeat(-1, vocabularySize)];
    private readonly int[] seen = new int[vocabularySize];
    private int seenCount;

    /// <summary>Counts a token.</summary>
    public void Add(int token, bool generated)
    {
        if (generatedTimes[token] < 0)
        {
            seen[seenCount++] = token;
            generatedTimes[token] = 0;
        }

        generatedTimes[token] += generated ? 1 : 0;
    }

    /// <summary>Lowers the logits of tokens that the text holds.</summary>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="options">The three penalties.</param>
    public void Penalize(Span<float> logits, GenerationOptions options)
    {
        if (options is { RepetitionPenalty: 1, FrequencyPenalty: 0, PresencePenalty: 0 })
        {
            return;
        }

        foreach (int token in seen.AsSpan(0, seenCount))
        {
            float logit = logits[token];
            logit = logit > 0 ? logit / options.RepetitionPenalty : logit * options.RepetitionPenalty;
            int times = generatedTimes[token];
            logits[token] = times == 0 ? logit : logit - (times * options.FrequencyPenalty) - options.PresencePenalty;
        }
    }
}
