namespace Mamba.Managed.Checkpoints;

/// <summary>What a file is by its first bytes, so that one of another kind is called what it is.</summary>
/// <param name="Name">The kind with its article.</param>
/// <param name="Advice">What to do with such a file where another kind is expected.</param>
internal sealed record FileKind(string Name, string Advice)
{
    public static readonly FileKind Safetensors = new("a safetensors file", "give the folder that it lies in beside config.json, under a name that ends with .safetensors");
    public static readonly FileKind Gguf = new("a GGUF file", "give the path of the file itself; its name ends with .gguf");
    public static readonly FileKind Zip = new("a zip archive", "if torch.save wrote it, give the folder that it lies in beside config.json, under the name pytorch_model.bin");

    private const string SaveAgain = "load it with torch.load and save it again with torch.save of PyTorch 1.6 or later";
    private const int LongestStart = 512;

    private static readonly FileKind oldTorch = new("a PyTorch file older than version 1.6", SaveAgain);
    private static readonly FileKind pickle = new("a pickle, as PyTorch saved before version 1.6", SaveAgain);
    private static readonly FileKind json = new("a JSON file", "give the folder that it lies in");
    private static readonly FileKind page = new("a web page", "download the file itself");
    private static readonly FileKind tar = new("a tar archive", "unpack it; if torch.save wrote it, " + SaveAgain);
    private static readonly FileKind gzip = new("a gzip archive", "unpack it");
    private static readonly FileKind hdf5 = new("an HDF5 file", "convert the model to safetensors");

    // The number 0x1950a86a20f9469cfc6c as a pickle of protocol 2.
    private static ReadOnlySpan<byte> OldTorchMagic => [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

    /// <summary>The kind of a file; null where its first bytes are those of none that is known.</summary>
    public static FileKind? Of(FileStream file) => Of(UntrustedFile.ReadBytes(file, 0, (int)Math.Min(file.Length, LongestStart)));

    /// <summary>Refuses a file that is known to be of another kind; what is not known is left to the reader.</summary>
    /// <exception cref="InvalidDataException">The file is of another kind; the message says of which, and what to do.</exception>
    public void Require(FileStream file)
    {
        if (Of(file) is { } found && found != this)
        {
            throw new InvalidDataException($"expected {Name}, found {found.Name}; {found.Advice}");
        }
    }

    // A safetensors header begins at byte 8; its length before may look like any of the others.
    private static FileKind? Of(ReadOnlySpan<byte> start) => start switch
    {
        _ when start.Length > 8 && start[8] == '{' && start[7] == 0 => Safetensors,
        _ when start.StartsWith("GGUF"u8) => Gguf,
        _ when start.StartsWith("PK\x3\x4"u8) => Zip,
        _ when start.StartsWith(OldTorchMagic) => oldTorch,
        [0x80, >= 2 and <= 5, ..] => pickle,
        [0x1f, 0x8b, ..] => gzip,
        [0x89, (byte)'H', (byte)'D', (byte)'F', ..] => hdf5,
        _ when start.Length > 262 && start[257..].StartsWith("ustar"u8) => tar,
        _ => OfText(start),
    };

    private static FileKind? OfText(ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> text = (start.StartsWith("\uFEFF"u8) ? start[3..] : start).TrimStart(" \t\r\n"u8);
        return text.StartsWith("{"u8) ? json : text.StartsWith("<!"u8) || text.StartsWith("<html"u8) ? page : null;
    }
}
