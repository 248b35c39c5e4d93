using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The tensors of a <c>pytorch_model.bin</c>, mapped for reading and not copied.</summary>
/// <remarks>
/// <code>
/// NAME/data.pkl: a pickled dictionary of tensors     NAME/data/KEY: the elements of one storage     NAME/byteorder: "little"
/// </code>
/// The archive is the zip file that <c>torch.save</c> writes since PyTorch 1.6. Nothing in it is executed: the pickle is read by a
/// machine that knows only tensors and containers. The file must not be shortened while it is open.
/// </remarks>
public sealed class PyTorchArchive : IDisposable
{
    private const string PickleName = "data.pkl";

    private PyTorchArchive(IReadOnlyDictionary<string, Tensor> tensors) => Tensors = tensors;

    /// <summary>The tensors by name, in the order of the file. Names that share one tensor in the file share it here.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The archive is damaged or compressed, or holds anything but one dictionary of row-major float32, float16, bfloat16 and int64 tensors.
    /// </exception>
    public static PyTorchArchive Open(string path) => UntrustedFile.Read(path, file =>
    {
        ZipDirectory zip = ZipDirectory.Read(file);
        string root = FindRoot(zip);
        RequireLittleEndian(zip, root);
        object? content = Unpickler.Read(zip.ReadBytes(root + PickleName, Unpickler.MaxLength), key => zip.Locate($"{root}data/{key}"));
        return new PyTorchArchive(TensorRegion.Map(file, RegionsOf(content)));
    });

    /// <summary>Unmaps every tensor; none of them may be used afterwards.</summary>
    public void Dispose() => TensorRegion.Release(Tensors.Values);

    private static string FindRoot(ZipDirectory zip)
    {
        string[] pickles = [.. zip.Names.Where(name => name == PickleName || name.EndsWith("/" + PickleName, StringComparison.Ordinal))];
        return pickles is [string pickle]
            ? pickle[..^PickleName.Length]
            : throw new InvalidDataException(Throw.Invariant($"expected one entry {PickleName} in the archive, found {pickles.Length}"));
    }

    private static void RequireLittleEndian(ZipDirectory zip, string root)
    {
        string name = root + "byteorder";
        if (zip.Contains(name) && !zip.ReadBytes(name, 16).AsSpan().SequenceEqual("little"u8))
        {
            throw new InvalidDataException("expected little-endian tensors, found another byteorder; save the file again on a little-endian machine");
        }
    }

    private static Dictionary<string, TensorRegion> RegionsOf(object? content)
    {
        if (content is not Dictionary<string, object?> entries || entries.Count > TensorRegion.MaxCount)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a dictionary of at most {TensorRegion.MaxCount} tensors, found another value"));
        }

        Dictionary<string, TensorRegion> regions = new(entries.Count);
        foreach ((string name, object? value) in entries)
        {
            regions[name] = value as TensorRegion
                ?? throw new InvalidDataException($"{name}: expected a tensor, found another value; save the model's state_dict alone");
        }

        return regions;
    }
}
