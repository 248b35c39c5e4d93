using System.Runtime.InteropServices;

namespace Mamba.Managed.Generation;

/// <summary>The tokens that occur in a text, and how often each was generated; its memory grows with the number of distinct tokens.</summary>
internal sealed class TokenCounts
{
    private readonly Dictionary<int, int> generatedTimes;

    /// <summary>The counts of an empty text.</summary>
    public TokenCounts() => generatedTimes = [];

    private TokenCounts(Dictionary<int, int> generatedTimes) => this.generatedTimes = new(generatedTimes);

    /// <summary>Counts a token.</summary>
    public void Add(int token, bool generated)
    {
        ref int times = ref CollectionsMarshal.GetValueRefOrAddDefault(generatedTimes, token, out _);
        times += generated ? 1 : 0;
    }

    /// <summary>Lowers the logits of tokens that the text holds.</summary>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="options">The three penalties.</param>
    public void Penalize(Span<float> logits, GenerationOptions options)
    {
        foreach ((int token, int times) in generatedTimes)
        {
            float logit = logits[token];
            logit = logit > 0 ? logit / options.RepetitionPenalty : logit * options.RepetitionPenalty;
            logits[token] = times == 0 ? logit : logit - (times * options.FrequencyPenalty) - options.PresencePenalty;
        }
    }

    /// <summary>Removes every token.</summary>
    public void Clear() => generatedTimes.Clear();

    /// <summary>An independent copy.</summary>
    public TokenCounts Copy() => new(generatedTimes);
}
