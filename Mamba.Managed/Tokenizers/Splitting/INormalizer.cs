namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Changes a text before it is split: a Unicode form, lower case, a mark before the first word.</summary>
internal interface INormalizer
{
    /// <summary>The text that is split in place of <paramref name="text"/>, which must not contain lone surrogates.</summary>
    string Normalize(string text);
}
