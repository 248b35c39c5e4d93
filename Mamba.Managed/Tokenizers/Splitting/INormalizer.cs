namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Changes a text before it is split: a Unicode form, lower case, a mark before the first word.</summary>
internal interface INormalizer
{
    /// <summary>The text that is split in place of <paramref name="text"/>, which must not contain lone surrogates.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">The most characters that may come of it where texts of the tokenizer's file are put into it.</param>
    /// <exception cref="InvalidDataException">More would come of it.</exception>
    string Normalize(string text, int most);
}
