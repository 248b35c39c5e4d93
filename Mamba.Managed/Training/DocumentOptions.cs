namespace Mamba.Managed.Training;

/// <summary>How files of documents become tokens.</summary>
public sealed record DocumentOptions
{
    /// <summary>All ids lie below this; 0 for the vocabulary of the tokenizer. That of a model may be larger by padding.</summary>
    public int VocabularySize { get; init; }

    /// <summary>
    /// Whether a text that does not end with an end token of the tokenizer gets one, so that a model learns where to stop. Documents given as ids
    /// are left as they are, and a tokenizer without an end token adds none.
    /// </summary>
    public bool EndDocuments { get; init; } = true;
}
