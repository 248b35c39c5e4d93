namespace Mamba.Managed.Tokenizers;

/// <summary>A token that is matched in the text itself, before splitting and merging.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text that it stands for.</param>
/// <param name="IsSpecial">Whether it is a control token such as <c>&lt;|endoftext|&gt;</c>, not text.</param>
/// <param name="IsNormalized">Whether it is matched in the normalized text rather than in the original.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized)
{
    /// <summary>Whether it takes the white space before it along.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether it takes the white space after it along.</summary>
    public bool StripsRight { get; init; }

    /// <summary>Whether it only counts where no letter or digit is next to it.</summary>
    public bool IsSingleWord { get; init; }
}
