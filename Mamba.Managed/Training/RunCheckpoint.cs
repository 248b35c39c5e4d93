using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>The state of a run after a step, in a folder of its own below the run's.</summary>
/// <remarks>
/// <code>
/// RUN/config.json, model.safetensors      the published weights, to be loaded as a model: averaged if the recipe averages, the best so far if
///                                         there is validation data
/// RUN/step-00000200/config.json, model.safetensors, optimiser.safetensors, checkpoint.json
/// </code>
/// <c>checkpoint.json</c> holds the step, the recipe and a hash of each file, so that a damaged checkpoint is detected. The order of saving leaves
/// one whole checkpoint at any time, even after a power failure; each line is on the disk before the next begins:
/// <code>
/// RUN/step-00000200.tmp/...     every file, then the folder's entries
/// RUN/step-00000200             renamed, then RUN's entries
/// RUN/config.json, model...     each written to a temporary file and renamed, then RUN's entries
/// older checkpoints             removed
/// </code>
/// </remarks>
internal sealed class RunCheckpoint
{
    private const string Prefix = "step-";
    private const string Description = "checkpoint.json";
    private const int LongestDescription = 1 << 20;
    private const string WeightsFile = WeightFiles.Single;

    // The British spelling of existing runs, which must remain readable.
    private const string OptimizerFile = "optimiser.safetensors";

    private readonly string folder;
    private readonly string recipe;

    private RunCheckpoint(string folder)
    {
        this.folder = folder;
        (Step, recipe, Best) = Describe(folder, root =>
        {
            foreach (string file in new[] { WeightsFile, OptimizerFile })
            {
                if (root.GetProperty(file).GetString() != Hash(Path.Combine(folder, file)))
                {
                    throw new InvalidDataException($"{file} is not what was written");
                }
            }

            (double, long)? best = root.TryGetProperty("best", out JsonElement found) ? (found.GetProperty("loss").GetDouble(), found.GetProperty("step").GetInt64()) : null;
            return (root.GetProperty("step").GetInt64(), root.GetProperty("recipe").GetString() ?? "", best);
        });
    }

    /// <summary>Steps made.</summary>
    public long Step { get; }

    /// <summary>The least validation loss so far and its step.</summary>
    public (double Loss, long Step)? Best { get; }

    /// <summary>The newest checkpoint that is whole, and why newer ones are not.</summary>
    public static (RunCheckpoint Checkpoint, IReadOnlyList<string> Damaged) Newest(string run)
    {
        List<string> damaged = [];
        foreach (string folder in Folders(run).Reverse())
        {
            try
            {
                return (new RunCheckpoint(folder), damaged);
            }
            catch (Exception error) when (IsDamage(error))
            {
                damaged.Add($"{folder}: {error.Message}");
            }
        }

        throw damaged.Count == 0
            ? new DirectoryNotFoundException($"{run}: expected checkpoints of a run, found none")
            : new InvalidDataException($"{run}: no checkpoint is whole: {Shortened.List(damaged, "; ")}");
    }

    /// <summary>The recipe of a run, by its newest checkpoint that says one; null where none does.</summary>
    public static string? RecipeOf(string run)
    {
        foreach (string folder in Folders(run).Reverse())
        {
            try
            {
                return Describe(folder, root => root.GetProperty("recipe").GetString());
            }
            catch (Exception error) when (IsDamage(error))
            {
                // Told when the run is resumed.
            }
        }

        return null;
    }

    /// <summary>Writes the state of a run, and removes checkpoints that are no longer kept.</summary>
    public static void Save(string run, Trainer trainer)
    {
        DurableFolder.Create(run);
        string final = Path.Combine(run, Prefix + trainer.Step.ToString("D8", CultureInfo.InvariantCulture));
        if (IsWhole(final))
        {
            // A run that was resumed here and stopped before the next step: the checkpoint exists already, with the same bits.
            return;
        }

        foreach (string left in Directory.GetDirectories(run, Prefix + "*.tmp"))
        {
            Remove(left);
        }

        using (TemporaryFolder temporary = new(final))
        {
            ConfigFile.Write(Path.Combine(temporary.Path, ConfigFile.Name), trainer.Model.Config, ElementType.Float32);
            SafetensorsFile.Save(Path.Combine(temporary.Path, WeightsFile), trainer.Model.Parameters(), Checkpoint.Metadata);
            SafetensorsFile.Save(Path.Combine(temporary.Path, OptimizerFile), [.. Moments(trainer), .. Tracks(trainer)]);
            WriteDescription(temporary.Path, trainer);
            temporary.Complete();
        }

        Publish(run, trainer);
        string? best = trainer.Best is null ? null : Prefix + trainer.Best.Value.Step.ToString("D8", CultureInfo.InvariantCulture);
        foreach (string folder in Folders(run).SkipLast(trainer.Options.KeepLast))
        {
            if (Path.GetFileName(folder) != best)
            {
                Remove(folder);
            }
        }
    }

    /// <summary>Publishes the weights in the run's folder if they are the best so far, or if none are published yet.</summary>
    public static void Publish(string run, Trainer trainer)
    {
        bool isWhole = File.Exists(Path.Combine(run, WeightsFile)) && File.Exists(Path.Combine(run, ConfigFile.Name));
        if (trainer.Best is null || trainer.Best.Value.Step == trainer.Step || !isWhole)
        {
            Checkpoint.Save(run, trainer.Result.ConvertResult(trainer.Options.SaveType, trainer.Options.Threads));
        }
    }

    /// <summary>Copies the weights, moments and carried states of this checkpoint to a run.</summary>
    /// <exception cref="InvalidDataException">The run is of another model or recipe.</exception>
    public void CopyTo(Trainer trainer)
    {
        MambaConfig config = ConfigFile.Read(Path.Combine(folder, ConfigFile.Name));
        if (config.ParameterCount != trainer.Model.Config.ParameterCount || config.NLayer != trainer.Model.Config.NLayer)
        {
            throw new InvalidDataException($"{folder}: expected a checkpoint of {trainer.Model}, found one of another model");
        }

        if (recipe != trainer.Recipe)
        {
            string expected = TrainerOptions.Difference(trainer.Recipe, recipe), found = TrainerOptions.Difference(recipe, trainer.Recipe);
            throw new InvalidDataException($"{folder}: expected a run with {expected}, found one with {found}; continue with the same data and options");
        }

        using SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(folder, WeightsFile));
        using SafetensorsFile optimizer = SafetensorsFile.Open(Path.Combine(folder, OptimizerFile));
        (Tensor From, Tensor To)[] copies =
        [
            .. trainer.Model.Parameters().Select(p => Pair(weights, p)),
            .. Moments(trainer).Select(p => Pair(optimizer, p)),
        ];
        (MixerState State, float[] SsmState, float[] ConvState)[] tracks = [.. ReadTracks(trainer, optimizer)];

        // Everything was found and is leased, so that a run gets the whole checkpoint or is not changed.
        using MemoryLeases leases = new();
        foreach ((_, Tensor to) in copies)
        {
            leases.Take(to);
        }

        foreach (CpuState track in trainer.Tracks)
        {
            leases.Take(track);
        }

        foreach ((Tensor from, Tensor to) in copies)
        {
            from.CopyTo(to.Floats);
        }

        foreach ((MixerState state, float[] ssmState, float[] convState) in tracks)
        {
            state.SetSsmRows(ssmState);
            convState.CopyTo(state.ConvState);
        }
    }

    private static bool IsWhole(string folder)
    {
        try
        {
            return new RunCheckpoint(folder).Step >= 0;
        }
        catch (Exception error) when (IsDamage(error))
        {
            return false;
        }
    }

    private static T Describe<T>(string folder, Func<JsonElement, T> read) => UntrustedFile.ReadJson(Path.Combine(folder, Description), LongestDescription, read);

    private static bool IsDamage(Exception error) =>
        error is InvalidDataException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IOException;

    private (Tensor From, Tensor To) Pair(SafetensorsFile file, KeyValuePair<string, Tensor> parameter) =>
        (Find(file, parameter.Key, parameter.Value.Shape), parameter.Value);

    private Tensor Find(SafetensorsFile file, string name, ReadOnlySpan<int> shape) =>
        file.Tensors.TryGetValue(name, out Tensor? found) && found.Type == ElementType.Float32 && found.HasShape(shape)
            ? found
            : throw new InvalidDataException(
                $"{folder}: expected {name} Float32 [{string.Join(", ", shape.ToArray())}], found {found?.ToString() ?? "none"}; go on from another checkpoint");

    private static IEnumerable<KeyValuePair<string, Tensor>> Moments(Trainer trainer) =>
    [
        .. trainer.Engine.FirstMoments.Parameters().Select(p => KeyValuePair.Create("first." + p.Key, p.Value)),
        .. trainer.Engine.SecondMoments.Parameters().Select(p => KeyValuePair.Create("second." + p.Key, p.Value)),
        .. trainer.Engine.Average?.Parameters().Select(p => KeyValuePair.Create("average." + p.Key, p.Value)) ?? [],
    ];

    // Copies of the carried states; the names "window" and "scan" are those of the file format.
    private static IEnumerable<KeyValuePair<string, Tensor>> Tracks(Trainer trainer)
    {
        for (int i = 0; i < trainer.Tracks.Count; i++)
        {
            for (int layer = 0; layer < trainer.Tracks[i].Layers.Length; layer++)
            {
                MixerState state = trainer.Tracks[i].Layers[layer];
                using TensorBuffer.Lease lease = state.Acquire();
                yield return KeyValuePair.Create(
                    Throw.Invariant($"track.{i}.{layer}.window"), Tensor.FromFloats(state.ConvState, state.ConvLength, state.Channels));
                yield return KeyValuePair.Create(Throw.Invariant($"track.{i}.{layer}.scan"), Tensor.FromFloats(state.SsmRows(), state.States, state.Channels));
            }
        }
    }

    private IEnumerable<(MixerState State, float[] SsmState, float[] ConvState)> ReadTracks(Trainer trainer, SafetensorsFile file)
    {
        for (int i = 0; i < trainer.Tracks.Count; i++)
        {
            for (int layer = 0; layer < trainer.Tracks[i].Layers.Length; layer++)
            {
                MixerState state = trainer.Tracks[i].Layers[layer];
                Tensor scan = Find(file, Throw.Invariant($"track.{i}.{layer}.scan"), [state.States, state.Channels]);
                Tensor window = Find(file, Throw.Invariant($"track.{i}.{layer}.window"), [state.ConvLength, state.Channels]);
                yield return (state, scan.ToArray(), window.ToArray());
            }
        }
    }

    private static void WriteDescription(string folder, Trainer trainer) => AtomicFile.Write(Path.Combine(folder, Description), stream =>
    {
        using Utf8JsonWriter json = new(stream);
        json.WriteStartObject();
        json.WriteNumber("step", trainer.Step);
        json.WriteString("recipe", trainer.Recipe);
        if (trainer.Best is (double loss, long step))
        {
            json.WriteStartObject("best");
            json.WriteNumber("loss", loss);
            json.WriteNumber("step", step);
            json.WriteEndObject();
        }

        json.WriteString(WeightsFile, Hash(Path.Combine(folder, WeightsFile)));
        json.WriteString(OptimizerFile, Hash(Path.Combine(folder, OptimizerFile)));
        json.WriteEndObject();
    });

    private static string Hash(string path)
    {
        using FileStream stream = UntrustedFile.Open(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static IEnumerable<string> Folders(string run) => !Directory.Exists(run)
        ? []
        : Directory.GetDirectories(run, Prefix + "*")
            .Where(folder => long.TryParse(Path.GetFileName(folder).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _))
            .OrderBy(folder => long.Parse(Path.GetFileName(folder).AsSpan(Prefix.Length), CultureInfo.InvariantCulture));

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
