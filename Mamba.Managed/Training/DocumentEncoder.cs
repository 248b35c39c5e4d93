namespace Mamba.Managed.Training;

/// <summary>Turns texts into checked ids.</summary>
/// <param name="encode">Returns the ids of a text.</param>
/// <param name="vocabularySize">All ids lie below this.</param>
/// <param name="endTokens">The tokens that end a text; a text that ends with none of them gets the first. Empty to leave texts as they are.</param>
internal sealed class DocumentEncoder(Func<string, IReadOnlyList<int>> encode, int vocabularySize, IReadOnlyList<int> endTokens)
{
    public int VocabularySize => vocabularySize;

    /// <summary>The ids of a text; none for an empty one.</summary>
    /// <exception cref="InvalidDataException">An id is outside of the vocabulary.</exception>
    public int[] Encode(string text)
    {
        if (text.Length == 0)
        {
            // A tokenizer may still give its first token.
            return [];
        }

        IReadOnlyList<int> found = encode(text);
        bool isOpen = found.Count > 0 && endTokens.Count > 0 && !endTokens.Contains(found[^1]);
        return Checked(isOpen ? [.. found, endTokens[0]] : found as int[] ?? [.. found]);
    }

    /// <summary>The ids themselves.</summary>
    /// <exception cref="InvalidDataException">An id is outside of the vocabulary.</exception>
    public int[] Checked(int[] ids)
    {
        foreach (int id in ids)
        {
            Throw.Unless((uint)id < (uint)vocabularySize, $"expected token ids from 0 to {vocabularySize - 1}, found {id}");
        }

        return ids;
    }
}
