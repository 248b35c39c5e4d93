namespace Mamba.Managed.Generation;

/// <summary>What a stream had not returned when it was stopped early: the bytes of an incomplete character, and text that may begin a stop string.</summary>
/// <param name="Bytes">At most three bytes of UTF-8.</param>
/// <param name="Text">Text before them.</param>
internal sealed record HeldText(byte[] Bytes, string Text)
{
    /// <summary>Nothing is held.</summary>
    public static readonly HeldText None = new([], "");
}
