namespace Mamba.Managed.Generation.Prefixes;

/// <summary>What a request got from a <see cref="PrefixCache"/>, or why nothing.</summary>
public enum PrefixOutcome
{
    /// <summary>It was not asked: there is none, the text has one token, or the session had a state already.</summary>
    NotAsked,

    /// <summary>A state in memory.</summary>
    Hit,

    /// <summary>A state that was read from the folder.</summary>
    FolderHit,

    /// <summary>No text that begins with the same token has been kept.</summary>
    NeverStored,

    /// <summary>A text that begins alike has been kept, but no state before the token at which the two part, see <see cref="PrefixUse.SharedTokens"/>.</summary>
    Parted,

    /// <summary>There was a state, which had to make room for more useful ones.</summary>
    Evicted,

    /// <summary>The cache holds states of another model, or of another kind of device.</summary>
    OtherModel,
}

/// <summary>What a request got from a <see cref="PrefixCache"/>.</summary>
/// <param name="Outcome">A hit, or why there was none.</param>
/// <param name="CachedTokens">Tokens at the beginning of the text that did not have to be fed; 0 without a hit.</param>
/// <param name="SharedTokens">Tokens at the beginning of the text that are those of some text in memory: the two part after so many.</param>
public readonly record struct PrefixUse(PrefixOutcome Outcome, int CachedTokens, int SharedTokens);
