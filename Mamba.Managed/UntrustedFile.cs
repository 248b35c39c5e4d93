using System.Text.Json;
using System.Text.Unicode;

namespace Mamba.Managed;

/// <summary>Opens files of strangers, so that whatever is wrong with their contents is one kind of error that names the file.</summary>
internal static class UntrustedFile
{
    /// <summary>Runs a reader over a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The reader found the contents malformed; the message begins with the file's name.</exception>
    public static T Read<T>(string path, Func<FileStream, T> read)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
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

    /// <summary>Runs a reader over a small JSON file that holds one object.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">Longer files are refused unread.</param>
    /// <param name="read">Takes the object, which is gone when it returns.</param>
    public static T ReadJson<T>(string path, int mostBytes, Func<JsonElement, T> read) => Read(path, file =>
    {
        if (file.Length > mostBytes)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at most {mostBytes} bytes of JSON, found {file.Length}"));
        }

        byte[] json = ReadBytes(file, 0, (int)file.Length);
        RequireUtf8(json);
        using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? read(document.RootElement)
            : throw new InvalidDataException($"expected a JSON object, found {document.RootElement.ValueKind}");
    });

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
}
