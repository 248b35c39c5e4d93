namespace Mamba.Managed.Tokenizers;

/// <summary>A token that is found in the text as it stands, before anything is merged.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text that it stands for.</param>
/// <param name="IsSpecial">Whether it steers the model, as <c>&lt;|endoftext|&gt;</c> does, and is no text.</param>
/// <param name="IsNormalized">Whether it is looked for after the text was normalized rather than before.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized);
