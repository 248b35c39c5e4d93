using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Mamba.Managed.ILGPU.Tests;

/// <summary>Golden values in a safetensors file of float32 and int64.</summary>
internal sealed class GoldenFile
{
    private readonly byte[] bytes;
    private readonly JsonElement header;
    private readonly int start;

    public GoldenFile(string path)
    {
        bytes = File.ReadAllBytes(path);
        start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        header = JsonDocument.Parse(bytes.AsMemory(8, start - 8)).RootElement;
    }

    public IEnumerable<string> Names => header.EnumerateObject().Select(property => property.Name);

    public static string FolderOf(string name) => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", name);

    public bool Has(string name) => header.TryGetProperty(name, out _);

    public int[] Shape(string name) => [.. header.GetProperty(name).GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];

    public float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();

    /// <summary>The rows of a table of token ids, however many dimensions lie above.</summary>
    public int[][] Ids(string name)
    {
        int length = Shape(name)[^1];
        return [.. MemoryMarshal.Cast<byte, long>(Bytes(name)).ToArray().Select(id => (int)id).Chunk(length)];
    }

    private ReadOnlySpan<byte> Bytes(string name)
    {
        JsonElement offsets = header.GetProperty(name).GetProperty("data_offsets");
        return bytes.AsSpan(start + offsets[0].GetInt32(), offsets[1].GetInt32() - offsets[0].GetInt32());
    }
}
