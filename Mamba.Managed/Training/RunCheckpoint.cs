using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>A run after some step, in a folder of its own below the run's.</summary>
/// <remarks>
/// <code>
/// RUN/config.json, model.safetensors      the weights, averaged where the recipe says so, the best where there is a validation: what a reader
///                                         of models takes
/// RUN/step-00000200/config.json, model.safetensors, optimiser.safetensors, checkpoint.json
/// </code>
/// <c>checkpoint.json</c> holds the step, the recipe and a hash of each file, so that a damaged checkpoint is known. Saving goes in an order that
/// leaves one whole checkpoint whenever the process or the power fails, each line on the disk before the next begins:
/// <code>
/// RUN/step-00000200.tmp/...     every file, then the names in the folder
/// RUN/step-00000200             renamed, then the names in RUN
/// RUN/config.json, model...     each written aside and renamed, then the names in RUN
/// older checkpoints             removed
/// </code>
/// </remarks>
internal sealed class RunCheckpoint
{
    private const string Prefix = "step-";
    private const string Description = "checkpoint.json";
    private const string WeightsFile = "model.safetensors";

    // Spelled as in the runs that there are.
    private const string OptimizerFile = "optimiser.safetensors";

    private readonly string folder;
    private readonly string recipe;

    private RunCheckpoint(string folder)
    {
        this.folder = folder;
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, Description)));
        JsonElement root = json.RootElement;
        Step = root.GetProperty("step").GetInt64();
        recipe = root.GetProperty("recipe").GetString() ?? "";
        Best = root.TryGetProperty("best", out JsonElement best) ? (best.GetProperty("loss").GetDouble(), best.GetProperty("step").GetInt64()) : null;
        foreach (string file in new[] { WeightsFile, OptimizerFile })
        {
            if (root.GetProperty(file).GetString() != Hash(Path.Combine(folder, file)))
            {
                throw new InvalidDataException($"{file} is not what was written");
            }
        }
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
            : new InvalidDataException($"{run}: no checkpoint is whole: {string.Join("; ", damaged)}");
    }

    /// <summary>Writes the state of a run, and removes what is no longer kept.</summary>
    public static void Save(string run, Trainer trainer)
    {
        DurableFolder.Create(run);
        string final = Path.Combine(run, Prefix + trainer.Step.ToString("D8", CultureInfo.InvariantCulture));
        if (IsWhole(final))
        {
            // A run that went on from here and was stopped at once: the same step has the same bits.
            return;
        }

        foreach (string left in Directory.GetDirectories(run, Prefix + "*.tmp"))
        {
            Remove(left);
        }

        string temporary = final + ".tmp";
        Directory.CreateDirectory(temporary);
        ConfigFile.Write(Path.Combine(temporary, "config.json"), trainer.Model.Config, ElementType.Float32);
        SafetensorsFile.Save(Path.Combine(temporary, WeightsFile), trainer.Model.Parameters(), Checkpoint.Metadata);
        SafetensorsFile.Save(Path.Combine(temporary, OptimizerFile), [.. Moments(trainer), .. Tracks(trainer)]);
        WriteDescription(temporary, trainer);
        Remove(final);
        Directory.Move(temporary, final);
        DurableFolder.Flush(run);
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

    /// <summary>Writes the weights that a reader of models takes, where they are the best so far or there are none yet.</summary>
    public static void Publish(string run, Trainer trainer)
    {
        bool isWhole = File.Exists(Path.Combine(run, WeightsFile)) && File.Exists(Path.Combine(run, "config.json"));
        if (trainer.Best is null || trainer.Best.Value.Step == trainer.Step || !isWhole)
        {
            Checkpoint.Save(run, trainer.Result.ConvertTo(trainer.Options.SaveType, trainer.Options.Threads));
        }
    }

    /// <summary>Gives a run the weights, moments and carried states of this checkpoint.</summary>
    /// <exception cref="InvalidDataException">The run is of another model or recipe.</exception>
    public void CopyTo(Trainer trainer)
    {
        MambaConfig config = ConfigFile.Read(Path.Combine(folder, "config.json"));
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
        (MixerState State, float[] Scan, float[] Window)[] tracks = [.. ReadTracks(trainer, optimizer)];

        // Everything has been found, so that a run gets all of a checkpoint or nothing of it.
        foreach ((Tensor from, Tensor to) in copies)
        {
            using TensorBuffer.Lease lease = to.Buffer.Acquire();
            from.CopyTo(to.Floats);
        }

        foreach ((MixerState state, float[] scan, float[] window) in tracks)
        {
            state.SetSsmRows(scan);
            window.CopyTo(state.ConvState);
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
        .. trainer.Optimizer.FirstMoments.Parameters().Select(p => KeyValuePair.Create("first." + p.Key, p.Value)),
        .. trainer.Optimizer.SecondMoments.Parameters().Select(p => KeyValuePair.Create("second." + p.Key, p.Value)),
        .. trainer.Average?.Model.Parameters().Select(p => KeyValuePair.Create("average." + p.Key, p.Value)) ?? [],
    ];

    // Carried states as copies: a state's memory is its own.
    private static IEnumerable<KeyValuePair<string, Tensor>> Tracks(Trainer trainer)
    {
        for (int i = 0; i < trainer.Tracks.Count; i++)
        {
            for (int layer = 0; layer < trainer.Tracks[i].Layers.Length; layer++)
            {
                MixerState state = trainer.Tracks[i].Layers[layer];
                yield return KeyValuePair.Create(
                    Throw.Invariant($"track.{i}.{layer}.window"), Tensor.FromFloats(state.ConvState, state.ConvLength, state.Channels));
                yield return KeyValuePair.Create(Throw.Invariant($"track.{i}.{layer}.scan"), Tensor.FromFloats(state.SsmRows(), state.States, state.Channels));
            }
        }
    }

    private IEnumerable<(MixerState State, float[] Scan, float[] Window)> ReadTracks(Trainer trainer, SafetensorsFile file)
    {
        for (int i = 0; i < trainer.Tracks.Count; i++)
        {
            for (int layer = 0; layer < trainer.Tracks[i].Layers.Length; layer++)
            {
                MixerState state = trainer.Tracks[i].Layers[layer];
                Tensor scan = Find(file, Throw.Invariant($"track.{i}.{layer}.scan"), [state.States, state.Channels]);
                Tensor window = Find(file, Throw.Invariant($"track.{i}.{layer}.window"), [state.ConvLength, state.Channels]);
                yield return (state, Values(scan), Values(window));
            }
        }

        static float[] Values(Tensor tensor)
        {
            float[] values = new float[tensor.Count];
            tensor.CopyTo(values);
            return values;
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
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read);
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
