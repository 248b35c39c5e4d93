using System.Text.Json;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Finds configuration and weights in a model folder.</summary>
public static class Checkpoint
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    /// <summary>Loads a folder in the Hugging Face layout; the weights stay in the mapped files.</summary>
    /// <param name="folder">Holds <c>config.json</c> and safetensors in one file or in shards with an index.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the tensors do not fit the configuration; all that do not are listed.</exception>
    public static MambaLanguageModel Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a model folder, found none");
        }

        MambaConfig config = ConfigFile.Read(Path.Combine(folder, "config.json"));
        Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
        foreach (string shard in Shards(folder))
        {
            using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, shard));
            foreach ((string name, Tensor tensor) in file.Tensors)
            {
                if (!tensors.TryAdd(name, tensor))
                {
                    throw new InvalidDataException($"{folder}: {name} is in more than one file");
                }
            }
        }

        if (config.TieEmbeddings)
        {
            // Some writers store the shared tensor twice.
            tensors.Remove("lm_head.weight");
        }

        MambaLanguageModel model = MambaLanguageModel.FromTensors(config, tensors);
        HashSet<string> known = [.. Layers.ParameterTrees.Parameters(model).Select(p => p.Key)];
        string[] unknown = [.. tensors.Keys.Where(name => !known.Contains(name)).Order(StringComparer.Ordinal)];
        return unknown.Length == 0
            ? model
            : throw new InvalidDataException($"{folder}: tensors that the configuration does not ask for: {string.Join(", ", unknown)}");
    }

    private static string[] Shards(string folder)
    {
        if (File.Exists(Path.Combine(folder, Single)))
        {
            return [Single];
        }

        string index = Path.Combine(folder, Index);
        if (!File.Exists(index))
        {
            throw new FileNotFoundException($"{folder}: expected {Single} or {Index}, found neither");
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(index));
            string[] names = [.. document.RootElement.GetProperty("weight_map").EnumerateObject().Select(p => p.Value.GetString() ?? "").Distinct()];
            string? outside = names.FirstOrDefault(name => name.Length == 0 || Path.GetFileName(name) != name);
            return outside is null ? names : throw new InvalidDataException($"{index}: expected names of files in the folder, found '{outside}'");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{index}: {error.Message}", error);
        }
    }
}
