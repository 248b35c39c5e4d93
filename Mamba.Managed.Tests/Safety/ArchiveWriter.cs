using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Mamba.Managed.Tests.Safety;

/// <summary>What two layers of an archive share.</summary>
public enum Sharing
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Layers after the first name the first one's input and output projections again: one object of the pickle under several names.</summary>
    Projections,

    /// <summary>Layers after the first name every tensor of the first one again.</summary>
    Everything,

    /// <summary>The last norm is that of the first layer.</summary>
    Norm,

    /// <summary>Layers after the first build tensors of their own over the storages of the first one.</summary>
    Storages,
}

/// <summary>Writes model folders with a <c>pytorch_model.bin</c> such as <c>torch.save</c> would write, whose layers may share tensors.</summary>
internal sealed class ArchiveWriter
{
    private readonly List<byte> pickle = [];
    private readonly Dictionary<string, uint> memo = [];
    private readonly List<int> storages = [];
    private readonly Dictionary<string, int> storageOf = [];

    private ArchiveWriter()
    {
    }

    public static void Write(string folder, int width, int layers, int vocabulary, Sharing sharing)
    {
        ArchiveWriter writer = new();
        writer.Raw("\u0080\u0002ccollections\nOrderedDict\n)R(");
        writer.Put("backbone.embedding.weight", [vocabulary, width]);
        (string Name, int[] Shape)[] parameters = Parameters(width);
        for (int layer = 0; layer < layers; layer++)
        {
            foreach ((string name, int[] shape) in parameters)
            {
                bool remembers = sharing == Sharing.Everything
                    || (sharing == Sharing.Projections && name is "mixer.in_proj.weight" or "mixer.out_proj.weight")
                    || (sharing == Sharing.Norm && layer == 0 && name == "norm.weight");
                writer.Put($"backbone.layers.{layer.ToString(CultureInfo.InvariantCulture)}.{name}", shape, remembers ? name : null, sharing == Sharing.Storages ? name : null);
            }
        }

        writer.Put("backbone.norm_f.weight", [width], sharing == Sharing.Norm ? "norm.weight" : null);
        writer.Raw("u.");
        writer.Save(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(new
        {
            d_model = width, n_layer = layers, vocab_size = vocabulary, ssm_cfg = new { }, rms_norm = true, pad_vocab_size_multiple = 8,
        }));
    }

    private static (string Name, int[] Shape)[] Parameters(int width)
    {
        const int States = 16, Kernel = 4;
        int inner = 2 * width, rank = (width + 15) / 16;
        return
        [
            ("norm.weight", [width]),
            ("mixer.in_proj.weight", [2 * inner, width]),
            ("mixer.conv1d.weight", [inner, 1, Kernel]),
            ("mixer.conv1d.bias", [inner]),
            ("mixer.x_proj.weight", [rank + (2 * States), inner]),
            ("mixer.dt_proj.weight", [inner, rank]),
            ("mixer.dt_proj.bias", [inner]),
            ("mixer.A_log", [inner, States]),
            ("mixer.D", [inner]),
            ("mixer.out_proj.weight", [width, inner]),
        ];
    }

    // remembered: an object of this name is put down once and called again. storage: tensors of this name are built anew over one storage.
    private void Put(string name, int[] shape, string? remembered = null, string? storage = null)
    {
        Text(name);
        if (remembered is not null && memo.TryGetValue(remembered, out uint known))
        {
            Raw("j");
            Number(known);
            return;
        }

        int count = shape.Aggregate(1, (product, dimension) => product * dimension);
        if (storage is null || !storageOf.TryGetValue(storage, out int key))
        {
            key = storages.Count;
            storages.Add(count);
            if (storage is not null)
            {
                storageOf[storage] = key;
            }
        }

        Tensor(key, count, shape);
        if (remembered is not null)
        {
            memo[remembered] = (uint)memo.Count;
            Raw("r");
            Number(memo[remembered]);
        }
    }

    private void Tensor(int key, int count, int[] shape)
    {
        Raw("ctorch._utils\n_rebuild_tensor_v2\n((");
        Text("storage");
        Raw("ctorch\nFloatStorage\n");
        Text(key.ToString(CultureInfo.InvariantCulture));
        Text("cpu");
        Integer(count);
        Raw("tQ");
        Integer(0);
        Raw("(");
        Array.ForEach(shape, Integer);
        Raw("t(");
        for (int i = 0; i < shape.Length; i++)
        {
            Integer(shape[(i + 1)..].Aggregate(1, (product, dimension) => product * dimension));
        }

        Raw("t\u0089ccollections\nOrderedDict\n)RtR");
    }

    private void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        using ZipArchive zip = ZipFile.Open(Path.Combine(folder, "pytorch_model.bin"), ZipArchiveMode.Create);
        Entry("archive/data.pkl", CollectionsMarshal.AsSpan(pickle));
        Entry("archive/byteorder", "little"u8);
        Random random = new(1);
        foreach ((int key, int count) in storages.Index())
        {
            float[] values = [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) / 8)];
            Entry($"archive/data/{key.ToString(CultureInfo.InvariantCulture)}", MemoryMarshal.AsBytes<float>(values));
        }

        void Entry(string name, ReadOnlySpan<byte> bytes)
        {
            using Stream entry = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
            entry.Write(bytes);
        }
    }

    private void Raw(string opcodes) => pickle.AddRange(Encoding.Latin1.GetBytes(opcodes));

    private void Text(string text)
    {
        Raw("X");
        Number((uint)text.Length);
        Raw(text);
    }

    private void Integer(int value)
    {
        Raw("J");
        Number((uint)value);
    }

    private void Number(uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        pickle.AddRange(bytes);
    }
}
