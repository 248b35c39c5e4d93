using System.Text.Json;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The weight files of a model folder: their tensors, mapped, under the names in the files.</summary>
internal sealed class TensorFiles : IDisposable
{
    private const int MaxIndexLength = 1 << 22;
    private const int LongestFileName = 255;

    private readonly Dictionary<string, Tensor> tensors = [];
    private readonly List<IDisposable> files = [];
    private readonly List<string> paths = [];

    private TensorFiles()
    {
    }

    /// <summary>The tensors of all files; disposed with them.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>The files that hold the tensors.</summary>
    public IReadOnlyList<string> Paths => paths;

    /// <summary>Maps the files of <see cref="WeightFiles.Find"/>: one, or an index's shards.</summary>
    /// <exception cref="FileNotFoundException">The folder has no weights, or a shard is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, the index and its shards disagree, or it is not clear which file is the model's.</exception>
    public static TensorFiles Open(string folder)
    {
        TensorFiles files = new();
        try
        {
            WeightFiles found = WeightFiles.Find(folder);
            if (found.IsIndex)
            {
                files.AddShards(folder, found.Path);
            }
            else
            {
                files.AddFile(found.Path);
            }

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

    private void AddShards(string folder, string index)
    {
        Dictionary<string, string> shardOf = UntrustedFile.ReadJson(index, MaxIndexLength, ReadIndex);
        string[] shards = [.. shardOf.Values.Distinct()];
        string[] absent = [.. shards.Where(shard => !File.Exists(Path.Combine(folder, shard)))];
        if (absent.Length > 0)
        {
            throw new FileNotFoundException(
                $"{index}: expected the files that it names, found no {Shortened.List(absent)}; download them", Path.Combine(folder, absent[0]));
        }

        foreach (string shard in shards)
        {
            AddFile(Path.Combine(folder, shard));
        }

        // Tensors that the index does not name are found later, when all names are compared with the configuration.
        string[] lost = [.. shardOf.Keys.Where(name => !tensors.ContainsKey(name))];
        if (lost.Length > 0)
        {
            throw new InvalidDataException($"{index}: expected tensors that its files hold, found names that they lack: {Shortened.List(lost)}; download index and files of one model");
        }
    }

    private static Dictionary<string, string> ReadIndex(JsonElement index)
    {
        Dictionary<string, string> shardOf = [];
        foreach (JsonProperty entry in new JsonFields(index).Inner("weight_map").All())
        {
            string shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : string.Empty;
            if (!IsPlainName(shard))
            {
                throw new InvalidDataException(
                    $"weight_map: expected names of files in the same folder, found {Shortened.Text(entry.Value.GetRawText())} for {Shortened.Text(entry.Name)}");
            }

            shardOf.Add(entry.Name, shard);
            if (shardOf.Count > TensorRegion.MaxCount)
            {
                throw new InvalidDataException(Throw.Invariant($"weight_map: expected at most {TensorRegion.MaxCount} tensors, found more"));
            }
        }

        return shardOf.Count > 0 ? shardOf : throw new InvalidDataException("weight_map: expected the file of each tensor, found nothing");
    }

    // The name is appended to the folder's path, so it must not lead out of the folder on any system.
    private static bool IsPlainName(string name) =>
        name.Length is > 0 and <= LongestFileName && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\:\0") < 0;

    private void AddFile(string path)
    {
        paths.Add(path);
        if (WeightFiles.IsSafetensors(path))
        {
            SafetensorsFile file = SafetensorsFile.Open(path);
            files.Add(file);
            AddTensors(file.Tensors, path);
        }
        else
        {
            PyTorchArchive file = PyTorchArchive.Open(path);
            files.Add(file);
            AddTensors(file.Tensors, path);
        }
    }

    private void AddTensors(IReadOnlyDictionary<string, Tensor> found, string path)
    {
        if (found.Count > TensorRegion.MaxCount - tensors.Count)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"{path}: expected at most {TensorRegion.MaxCount} tensors in all files of a model, found {(long)tensors.Count + found.Count}"));
        }

        string[] again = [.. found.Keys.Where(tensors.ContainsKey)];
        if (again.Length > 0)
        {
            throw new InvalidDataException($"{path}: expected each tensor in one file, found again {Shortened.List(again)}; download the files of one model");
        }

        foreach ((string name, Tensor tensor) in found)
        {
            tensors.Add(name, tensor);
        }
    }
}
