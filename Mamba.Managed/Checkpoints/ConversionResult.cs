namespace Mamba.Managed.Checkpoints;

/// <summary>What a conversion did beside writing the weights.</summary>
/// <param name="LeftBehind">
/// The names of files and folders beside the source's weights, or of fields of such files, that the destination has not; a dozen at most, and then
/// how many more.
/// </param>
public sealed record ConversionResult(IReadOnlyList<string> LeftBehind);
