using System.Text.Json;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The weight files of a model folder: their tensors, mapped, under the names in the files.</summary>
internal sealed class TensorFiles : IDisposable
{
    /// <summary>The file that holds every tensor, and the one that is written.</summary>
    public const string Single = "model.safetensors";

    private const string Index = "model.safetensors.index.json";
    private const string Archive = "pytorch_model.bin";
    private const int MaxIndexLength = 1 << 22;

    private readonly Dictionary<string, Tensor> tensors = [];
    private readonly List<IDisposable> files = [];

    private TensorFiles()
    {
    }

    /// <summary>The tensors of all files; disposed with them.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>Maps the first of these that the folder has: one safetensors file, an index and its shards, or a PyTorch archive.</summary>
    /// <exception cref="FileNotFoundException">The folder has none of them, or a shard is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or the index and its shards disagree.</exception>
    public static TensorFiles Open(string folder)
    {
        TensorFiles files = new();
        try
        {
            files.OpenAny(folder);
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps every file and disposes the tensors.</summary>
    public void Dispose() => files.ForEach(file => file.Dispose());

    private void OpenAny(string folder)
    {
        string single = Path.Combine(folder, Single), index = Path.Combine(folder, Index), archive = Path.Combine(folder, Archive);
        if (File.Exists(single))
        {
            AddShard(single);
        }
        else if (File.Exists(index))
        {
            AddShards(folder, index);
        }
        else if (File.Exists(archive))
        {
            PyTorchArchive file = PyTorchArchive.Open(archive);
            files.Add(file);
            AddTensors(file.Tensors, archive);
        }
        else
        {
            throw new FileNotFoundException($"{folder}: expected {Single}, {Index} or {Archive}, found none of them; download the weights into this folder", single);
        }
    }

    private void AddShards(string folder, string index)
    {
        Dictionary<string, string> shardOf = UntrustedFile.ReadJson(index, MaxIndexLength, ReadIndex);
        string[] shards = [.. shardOf.Values.Distinct()];
        string[] absent = [.. shards.Where(shard => !File.Exists(Path.Combine(folder, shard)))];
        if (absent.Length > 0)
        {
            throw new FileNotFoundException($"{index}: expected the files that it names, found no {string.Join(", ", absent)}; download them", Path.Combine(folder, absent[0]));
        }

        foreach (string shard in shards)
        {
            AddShard(Path.Combine(folder, shard));
        }

        // Tensors that the index does not name are found later, when all names are compared with the configuration.
        string[] lost = [.. shardOf.Keys.Where(name => !tensors.ContainsKey(name))];
        if (lost.Length > 0)
        {
            throw new InvalidDataException($"{index}: expected tensors that its files hold, found names that they lack: {string.Join(", ", lost)}");
        }
    }

    private static Dictionary<string, string> ReadIndex(JsonElement index)
    {
        Dictionary<string, string> shardOf = [];
        foreach (JsonProperty entry in new JsonFields(index).Inner("weight_map").All())
        {
            string shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : string.Empty;

            // The name is appended to the folder's path, so it must not lead out of the folder on any system.
            if (!shard.EndsWith(".safetensors", StringComparison.Ordinal) || shard.AsSpan().IndexOfAny("/\\:\0") >= 0)
            {
                throw new InvalidDataException($"weight_map: expected names of safetensors files in the same folder, found {entry.Value.GetRawText()} for {entry.Name}");
            }

            shardOf.Add(entry.Name, shard);
            if (shardOf.Count > TensorRegion.MaxCount)
            {
                throw new InvalidDataException(Throw.Invariant($"weight_map: expected at most {TensorRegion.MaxCount} tensors, found more"));
            }
        }

        return shardOf.Count > 0 ? shardOf : throw new InvalidDataException("weight_map: expected the file of each tensor, found nothing");
    }

    private void AddShard(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        files.Add(file);
        AddTensors(file.Tensors, path);
    }

    private void AddTensors(IReadOnlyDictionary<string, Tensor> found, string path)
    {
        if (found.Count > TensorRegion.MaxCount - tensors.Count)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"{path}: expected at most {TensorRegion.MaxCount} tensors in all files of a model, found {(long)tensors.Count + found.Count}"));
        }

        foreach ((string name, Tensor tensor) in found)
        {
            if (!tensors.TryAdd(name, tensor))
            {
                throw new InvalidDataException($"{path}: expected each tensor in one file, found {name} again");
            }
        }
    }
}
