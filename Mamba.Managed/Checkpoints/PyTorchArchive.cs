using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The tensors of a <c>pytorch_model.bin</c>, mapped for reading and not copied.</summary>
/// <remarks>
/// <code>
/// NAME/data.pkl: a pickled dictionary of tensors     NAME/data/KEY: the elements of one storage     NAME/byteorder: "little"
/// </code>
/// The archive is the zip file that <c>torch.save</c> writes since PyTorch 1.6. Nothing in it is executed: <see cref="Unpickler"/> supports only
/// tensors, containers and plain values. Of a training checkpoint the weights are those of <see cref="StateDictionary"/>. The file must not be truncated while it is open.
/// </remarks>
internal sealed class PyTorchArchive : IDisposable
{
    private const string PickleName = "data.pkl";

    // A tied head is the embedding's storage under a second name, so the tensors may together have almost twice the bytes of the file.
    private const int MostUses = 2;

    private readonly MappedFile file;

    private PyTorchArchive(MappedFile file, Dictionary<string, TensorRegion> regions)
    {
        this.file = file;
        Tensors = TensorRegion.Map(file, regions);
    }

    /// <summary>The tensors by name, in the order of the file; disposed with the archive. Names that share one tensor in the file share it here.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The archive is damaged or compressed, does not hold exactly one dictionary of row-major float32, float16, bfloat16 and int64 tensors, or
    /// uses its bytes for more than twice as many bytes of tensors as the file has.
    /// </exception>
    public static PyTorchArchive Open(string path) => UntrustedFile.Read(path, file =>
    {
        FileKind.Zip.Require(file);
        ZipDirectory zip = ZipDirectory.Read(file);
        string root = FindRoot(zip);
        RequireLittleEndian(zip, root);
        object? content = Unpickler.Read(zip.ReadBytes(root + PickleName, Unpickler.MaxLength), key => zip.Locate($"{root}data/{key}"));
        Dictionary<string, TensorRegion> regions = RegionsOf(StateDictionary.Find(content), file.Length);
        return new PyTorchArchive(MappedFile.Open(file), regions);
    });

    /// <summary>Unmaps the file and disposes its tensors.</summary>
    public void Dispose() => file.Dispose();

    private static string FindRoot(ZipDirectory zip)
    {
        string[] pickles = [.. zip.Names.Where(name => name == PickleName || name.EndsWith("/" + PickleName, StringComparison.Ordinal))];
        return pickles is [string pickle]
            ? pickle[..^PickleName.Length]
            : throw new InvalidDataException(Throw.Invariant($"expected an archive of torch.save, which has one entry {PickleName}, found {pickles.Length} of them; if the archive holds a model's files, unpack it"));
    }

    private static void RequireLittleEndian(ZipDirectory zip, string root)
    {
        string name = root + "byteorder";
        if (zip.Contains(name) && !zip.ReadBytes(name, 16).AsSpan().SequenceEqual("little"u8))
        {
            throw new InvalidDataException("expected little-endian tensors, found another byteorder; save the file again on a little-endian machine");
        }
    }

    private static Dictionary<string, TensorRegion> RegionsOf(PickledDictionary state, long fileLength)
    {
        if (state.Named.Count > TensorRegion.MaxCount)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a dictionary of at most {TensorRegion.MaxCount} tensors, found {state.Named.Count}"));
        }

        Dictionary<string, TensorRegion> regions = new(state.Named.Count);
        long bytes = 0;
        foreach ((string name, object? value) in state.Named)
        {
            regions[name] = ((PickledTensor)value!).Locate(name);

            // A consumer that copies tensors, as every executor does, copies a storage once for each name that shares it.
            bytes += regions[name].Length;
            if (bytes > MostUses * fileLength)
            {
                throw new InvalidDataException(Throw.Invariant(
                    $"{Shortened.Text(name)}: expected at most {MostUses * fileLength} bytes of tensors in a file of {fileLength}, found {bytes}: too many tensors share their elements; save each in a storage of its own"));
            }
        }

        return regions;
    }
}
