namespace Mamba.Managed.Generation;

/// <summary>How the hidden vectors of a text's tokens become one.</summary>
public enum Pooling
{
    /// <summary>That of the last token, which has seen the whole text.</summary>
    Last,

    /// <summary>The mean of all.</summary>
    Mean,
}
