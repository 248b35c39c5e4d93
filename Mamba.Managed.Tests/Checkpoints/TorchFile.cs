using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Opcodes of a pickle that are put down as they are.</summary>
internal sealed record Opcodes(string Text);

/// <summary>Writes what <c>torch.save</c> writes of dictionaries, tensors and plain values: a zip archive with a pickle of protocol 2.</summary>
internal sealed class TorchFile
{
    private readonly List<byte> pickle = [0x80, 2];
    private readonly List<byte[]> storages = [];

    private TorchFile()
    {
    }

    /// <summary>Dictionaries as <see cref="Dictionary{TKey, TValue}"/> of objects, lists as lists, tuples as arrays; a sorted dictionary is an OrderedDict.</summary>
    public static void Save(string path, object? value)
    {
        TorchFile file = new();
        file.Put(value);
        file.Raw(".");
        using ZipArchive zip = ZipFile.Open(path, ZipArchiveMode.Create);
        Entry("archive/data.pkl", [.. file.pickle]);
        Entry("archive/byteorder", "little"u8);
        foreach ((int key, byte[] bytes) in file.storages.Index())
        {
            Entry($"archive/data/{key.ToString(CultureInfo.InvariantCulture)}", bytes);
        }

        Entry("archive/version", "3\n"u8);

        void Entry(string name, ReadOnlySpan<byte> bytes)
        {
            using Stream entry = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
            entry.Write(bytes);
        }
    }

    /// <summary>A state_dict as <c>Module.state_dict()</c> makes it.</summary>
    public static SortedDictionary<string, object?> StateOf(IEnumerable<KeyValuePair<string, Tensor>> tensors) =>
        new(tensors.ToDictionary(pair => pair.Key, pair => (object?)pair.Value), StringComparer.Ordinal);

    private void Put(object? value)
    {
        switch (value)
        {
            case null: Raw("N"); break;
            case bool flag: Raw(flag ? "\u0088" : "\u0089"); break;
            case int number: Raw("J"); Number(number); break;
            case double number: Raw("G"); Big(number); break;
            case string text: Text(text); break;
            case Opcodes opcodes: Raw(opcodes.Text); break;
            case Tensor tensor: Put(tensor); break;
            case object?[] tuple: Raw("("); Array.ForEach(tuple, Put); Raw("t"); break;
            case List<object?> list: Raw("]("); list.ForEach(Put); Raw("e"); break;
            case Dictionary<object, object?> dictionary: Raw("}"); Items(dictionary); break;
            case SortedDictionary<string, object?> state:
                Raw("ccollections\nOrderedDict\n)R");
                Items(state.Select(pair => new KeyValuePair<object, object?>(pair.Key, pair.Value)));
                Raw("}");
                Items([new("_metadata", new Dictionary<object, object?> { [""] = new Dictionary<object, object?> { ["version"] = 1 } })]);
                Raw("b");
                break;
            default: throw new ArgumentException(value.GetType().Name, nameof(value));
        }
    }

    private void Items(IEnumerable<KeyValuePair<object, object?>> items)
    {
        Raw("(");
        foreach ((object key, object? value) in items)
        {
            Put(key);
            Put(value);
        }

        Raw("u");
    }

    private void Put(Tensor tensor)
    {
        byte[] bytes = new byte[tensor.ByteLength];
        tensor.CopyBytesTo(0, bytes);
        string type = tensor.Type switch { ElementType.Float16 => "Half", ElementType.BFloat16 => "BFloat16", ElementType.Int64 => "Long", _ => "Float" };
        Raw("ctorch._utils\n_rebuild_tensor_v2\n((");
        Text("storage");
        Raw($"ctorch\n{type}Storage\n");
        Text(storages.Count.ToString(CultureInfo.InvariantCulture));
        Text("cpu");
        Put(tensor.Count);
        Raw("tQ");
        storages.Add(bytes);
        int[] shape = tensor.Shape.ToArray();
        Put(0);
        Put(Array.ConvertAll(shape, dimension => (object?)dimension));
        Put((object?[])[.. shape.Index().Select(entry => (object?)shape[(entry.Index + 1)..].Aggregate(1, (product, dimension) => product * dimension))]);
        Raw("\u0089ccollections\nOrderedDict\n)RtR");
    }

    private void Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Raw("X");
        Number(bytes.Length);
        pickle.AddRange(bytes);
    }

    private void Number(int value)
    {
        byte[] bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        pickle.AddRange(bytes);
    }

    private void Big(double value)
    {
        byte[] bytes = new byte[sizeof(double)];
        BinaryPrimitives.WriteDoubleBigEndian(bytes, value);
        pickle.AddRange(bytes);
    }

    private void Raw(string opcodes) => pickle.AddRange(Encoding.Latin1.GetBytes(opcodes));
}
