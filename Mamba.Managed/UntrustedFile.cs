using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Mamba.Managed;

/// <summary>The one door to files of strangers: whatever is wrong with a file is one kind of error that names it.</summary>
/// <remarks>
/// Sizes are those of the opened file, never of a link to it. A pipe, socket or device is refused before anything is read from it: it could block
/// for ever or never end. The text file that git-lfs leaves in place of a large file is called what it is.
/// </remarks>
internal static class UntrustedFile
{
    // A pointer of git-lfs has three lines, far less than this.
    private const int LongestPointer = 1024;

    // It can be positioned, has no length and yields nothing, as an empty file.
    private const string NullDevice = "/dev/null";

    private static ReadOnlySpan<byte> PointerStart => "version https://git-lfs.github.com/spec/v1"u8;

    /// <summary>Opens a file for reading, at its first byte and without a buffer.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is a folder, pipe, socket or device, or a pointer of git-lfs; the message begins with the file's name.</exception>
    public static FileStream Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new InvalidDataException($"{path}: expected a file, found a folder");
        }

        FileStream file = UnixFile.OpenAtOnce(path) ?? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            RequireRegular(file, path);
            RequireContents(file, path);
            file.Position = 0;
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a path leads to a pipe or device; false where nothing is there or it cannot be read.</summary>
    public static bool IsSpecial(string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        using FileStream? file = UnixFile.OpenAtOnce(path);
        return file is not null && (!IsRegular(file) || (File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path)) == NullDevice);
    }

    /// <summary>Runs a reader over a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">See <see cref="Open"/>, or the reader found the contents malformed; the message begins with the file's name.</exception>
    public static T Read<T>(string path, Func<FileStream, T> read)
    {
        using FileStream file = Open(path);
        try
        {
            return read(file);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException)
        {
            // System.Text.Json reports a lone surrogate or a value of another kind as InvalidOperationException.
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Runs a reader of what was taken from a file before, so that its errors name the file too.</summary>
    /// <exception cref="InvalidDataException">The reader found it malformed; the message begins with the file's name.</exception>
    public static T Named<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Runs a reader over a small JSON file that holds one object, written by any writer that also Python reads.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">Longer files are refused unread.</param>
    /// <param name="read">Takes the object, which is gone when it returns.</param>
    public static T ReadJson<T>(string path, int mostBytes, Func<JsonElement, T> read) => Read(path, file =>
    {
        ReadOnlyMemory<byte> json = PythonJson.ToJson(ReadText(file, mostBytes));
        using JsonDocument document = Parse(json);
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? read(document.RootElement)
            : throw new InvalidDataException($"expected a JSON object, found {document.RootElement.ValueKind}");
    });

    /// <summary>The bytes of a UTF-8 text without a byte-order mark, from the first byte of a file to its last.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="mostBytes">Longer files are refused unread.</param>
    /// <exception cref="InvalidDataException">The file is longer, or no UTF-8.</exception>
    public static ReadOnlyMemory<byte> ReadText(FileStream file, int mostBytes)
    {
        if (file.Length > mostBytes)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at most {mostBytes} bytes of text, found {file.Length}"));
        }

        byte[] bytes = ReadBytes(file, 0, (int)file.Length);
        int mark = Utf8Text.MarkLength(bytes);
        RequireUtf8(bytes.AsSpan(mark));
        return bytes.AsMemory(mark);
    }

    /// <summary>The bytes [<paramref name="offset"/>, <paramref name="offset"/> + <paramref name="count"/>), which the caller has checked to lie in the file.</summary>
    public static byte[] ReadBytes(FileStream file, long offset, int count)
    {
        byte[] bytes = new byte[count];
        file.Position = offset;
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Refuses bytes that are not text; the JSON readers look only at the strings that are asked for.</summary>
    public static void RequireUtf8(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text))
        {
            throw new InvalidDataException("expected UTF-8 text, found bytes that are not UTF-8; the file is damaged or of another kind");
        }
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        if (json.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            throw new InvalidDataException("expected a JSON object, found an empty file");
        }

        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"expected a JSON object of which each field is named once: {error.Message}", error);
        }
    }

    private static void RequireRegular(FileStream file, string path)
    {
        if (!IsRegular(file))
        {
            throw new InvalidDataException($"{path}: expected a file, found a pipe, socket or device; copy its contents to a file");
        }
    }

    // A device can be positioned like a file, but has no length: what it yields is no file's.
    private static bool IsRegular(FileStream file) => file.CanSeek && (file.Length > 0 || file.ReadByte() < 0);

    private static void RequireContents(FileStream file, string path)
    {
        if (file.Length > LongestPointer || file.Length < PointerStart.Length)
        {
            return;
        }

        ReadOnlySpan<byte> text = ReadBytes(file, 0, (int)file.Length);
        if (!text.StartsWith(PointerStart))
        {
            return;
        }

        ReadOnlySpan<byte> size = "\nsize "u8;
        int at = text.IndexOf(size);
        string length = at >= 0 && Utf8Parser.TryParse(text[(at + size.Length)..], out long bytes, out _) ? Throw.Invariant($" to {bytes} bytes") : "";
        throw new InvalidDataException($"{path}: expected the file itself, found a git-lfs pointer{length}; run git lfs pull in its folder");
    }
}
