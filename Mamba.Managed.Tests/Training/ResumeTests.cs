using System.Diagnostics;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Cli;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>A run that was stopped, killed or damaged ends with the bytes of one that was not.</summary>
public class ResumeTests
{
    private static readonly string[] Files = ["model.safetensors", "optimiser.safetensors", "checkpoint.json", "config.json"];

    private readonly string[] uninterrupted = new string[2];
    private string root = "", shared = "";

    [OneTimeSetUp]
    public void PrepareShared() => shared = Directory.CreateTempSubdirectory("mamba-run-").FullName;

    [OneTimeTearDown]
    public void RemoveShared() => Directory.Delete(shared, recursive: true);

    [SetUp]
    public void Prepare() => root = Directory.CreateTempSubdirectory("mamba-run-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [Test]
    public void A_stopped_run_goes_on_to_the_same_bytes([Values] bool carry, [Values(1, 7, 29)] int stop)
    {
        string parts = Path.Combine(root, "parts");
        using (CancellationTokenSource source = new())
        using (Trainer first = TrainingChild.Create(parts, carry))
        {
            Assert.That(
                () => first.Run(new Listener<TrainingReport>(report => Cancel(source, report.Step == stop)), source.Token), Throws.InstanceOf<OperationCanceledException>());
        }

        Complete(parts, carry);
        AssertSameFiles(Uninterrupted(carry), parts);
    }

    [Test]
    public void A_killed_process_goes_on_to_the_same_bytes([Values] bool carry)
    {
        string killed = Path.Combine(root, "killed");

        // In the middle of writing a checkpoint, the first of all and a later one, between two, and at a moment of no meaning.
        Kill(6, () => Directory.Exists(killed) && Directory.GetDirectories(killed, "*.tmp").Length > 0);
        Kill(12, () => false);
        Kill(18, () => Newest() >= 12 && Directory.GetDirectories(killed, "*.tmp").Length > 0);
        Kill(24, () => Newest() >= 20);
        using Process last = Start(0);
        last.WaitForExit();
        Assert.That(last.ExitCode, Is.Zero);
        AssertSameFiles(Uninterrupted(carry), killed);

        int Newest() => !Directory.Exists(killed) ? 0 : Directory.GetDirectories(killed).Select(Path.GetFileName)
            .Select(name => int.TryParse(name![5..], out int step) ? step : 0).DefaultIfEmpty(0).Max();

        // The child waits in its step LAST, so that it is never over before it is killed, however slow this process is to look.
        void Kill(int last, Func<bool> now)
        {
            using Process process = Start(last);
            while (!process.HasExited && !now() && Newest() < last - 1)
            {
                Thread.Yield();
            }

            process.Kill();
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Not.Zero, "the run ended by itself");
        }

        Process Start(int last) => Process.Start(new ProcessStartInfo(Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : "dotnet")
        {
            ArgumentList = { typeof(TrainingChild).Assembly.Location, killed, carry.ToString(), last.ToString(CultureInfo.InvariantCulture) },
            RedirectStandardError = true,
        })!;
    }

    [Test]
    public void A_damaged_checkpoint_is_passed_over_and_named([Values("model.safetensors", "optimiser.safetensors", "checkpoint.json")] string file)
    {
        string whole = Path.Combine(root, "whole");
        Complete(whole, false);
        byte[] expected = File.ReadAllBytes(Path.Combine(TrainingChild.FinalFolder(whole), "optimiser.safetensors"));
        string path = Path.Combine(TrainingChild.FinalFolder(whole), file);
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        using (Trainer trainer = TrainingChild.Create(whole, false))
        {
            Assert.That(trainer.Resume(), Has.Count.EqualTo(1).And.Exactly(1).Contains("step-00000030"));
            Assert.That(trainer.Step, Is.EqualTo(29));
            trainer.Run();
        }

        Assert.That(File.ReadAllBytes(Path.Combine(TrainingChild.FinalFolder(whole), "optimiser.safetensors")), Is.EqualTo(expected));
    }

    [Test]
    public void The_last_checkpoints_and_the_best_are_kept_and_readable()
    {
        string run = Path.Combine(root, "run");
        (double Loss, long Step)? best;
        using (Trainer trainer = TrainingChild.Create(run, false))
        {
            trainer.Run();
            best = trainer.Best;
            MambaLanguageModel latest = Opened.Model(TrainingChild.FinalFolder(run));
            Assert.That(
                latest.Parameters().Select(p => p.Value.ToArray()), Is.EqualTo(trainer.Model.Parameters().Select(p => p.Value.ToArray())));
        }

        string[] kept = [.. Directory.GetDirectories(run).Select(folder => Path.GetFileName(folder)!)];
        Assert.That(kept, Is.EquivalentTo(new HashSet<string> { "step-00000029", "step-00000030", $"step-{best!.Value.Step:D8}" }));
        using SafetensorsFile averages = SafetensorsFile.Open(Path.Combine(run, $"step-{best.Value.Step:D8}", "optimiser.safetensors"));
        foreach ((string name, Tensor weight) in Opened.Model(run).Parameters())
        {
            Assert.That(weight.Bytes.SequenceEqual(averages.Tensors["average." + name].Bytes), Is.True, name);
        }

        Assert.That(Opened.Model(run).Config.DInner, Is.EqualTo(TrainingChild.Config.DInner));
    }

    // The paths that this machine has, as the child will see it, and its own choice.
    private static IEnumerable<string> InstructionSetNames() =>
        Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported).Select(set => set.ToString()).Append("");

    [TestCaseSource(nameof(InstructionSetNames))]
    public void Training_gives_the_same_bits_on_every_instruction_set_and_number_of_threads(string instructions)
    {
        string here = Uninterrupted(true), there = Path.Combine(root, "there");
        ProcessStartInfo start = new("dotnet") { ArgumentList = { typeof(TrainingChild).Assembly.Location, there, "True" } };
        start.Environment["MAMBA_INSTRUCTION_SET"] = instructions;
        using (Process child = Process.Start(start)!)
        {
            child.WaitForExit();
            Assert.That(child.ExitCode, Is.Zero);
        }

        AssertSameFiles(here, there);
        string alone = Path.Combine(root, "alone");
        using (Trainer trainer = new(MambaLanguageModel.Create(TrainingChild.Config, 1), TrainingChild.Documents(), TrainingChild.Options(true) with { Threads = 3 }, alone))
        {
            trainer.Run();
        }

        AssertSameFiles(here, alone);
    }

    [Test]
    public void A_checkpoint_that_cannot_be_written_loses_nothing()
    {
        string blocked = Path.Combine(root, "blocked");
        using (Trainer trainer = TrainingChild.Create(blocked, false))
        {
            // A file stands where the folder of the tenth checkpoint is written.
            Directory.CreateDirectory(blocked);
            File.WriteAllText(Path.Combine(blocked, "step-00000010.tmp"), "");
            Assert.That(() => trainer.Run(), Throws.InstanceOf<IOException>());
        }

        Assert.That(Opened.Model(Path.Combine(blocked, "step-00000009")).Config.NLayer, Is.EqualTo(2));
        File.Delete(Path.Combine(blocked, "step-00000010.tmp"));
        Complete(blocked, false);
        AssertSameFiles(Uninterrupted(false), blocked);
    }

    [Test]
    public void A_checkpoint_without_carried_states_is_refused_in_one_line()
    {
        string run = Path.Combine(root, "run"), folder = TrainingChild.FinalFolder(run), path = Path.Combine(folder, "optimiser.safetensors");
        Complete(run, true);
        string before = Hash(path);
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            SafetensorsFile.Save(path, file.Tensors.Where(tensor => !tensor.Key.StartsWith("track.1", StringComparison.Ordinal)), Checkpoint.Metadata);
        }

        string description = Path.Combine(folder, "checkpoint.json");
        File.WriteAllText(description, File.ReadAllText(description).Replace(before, Hash(path), StringComparison.Ordinal));
        using Trainer trainer = TrainingChild.Create(run, true);
        float[] weights = trainer.Model.NormF.Weight.ToArray();
        Assert.That(() => trainer.Resume(), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("expected track.1.0.scan Float32 [16, 48], found none"));
        Assert.That((trainer.Step, trainer.Model.NormF.Weight.ToArray()), Is.EqualTo((0L, weights)));

        static string Hash(string path) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)));
    }

    [Test]
    public void Folders_are_made_and_flushed_with_those_above_them()
    {
        string deep = Path.Combine(root, "a", "b", "c");
        DurableFolder.Create(deep);
        DurableFolder.Create(deep + Path.DirectorySeparatorChar);
        DurableFolder.Flush(deep);
        Assert.That(Directory.Exists(deep), Is.True);
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(() => DurableFolder.Flush(Path.Combine(root, "none")), Throws.InstanceOf<IOException>().With.Message.Contains("none"));
        }
    }

    [Test]
    public void A_file_whose_writing_fails_stays_as_it_was()
    {
        string path = Path.Combine(root, "file");
        File.WriteAllText(path, "before");
        Assert.That(
            () => AtomicFile.Write(path, stream =>
            {
                stream.Write("half"u8);
                throw new IOException("no space left on device");
            }),
            Throws.InstanceOf<IOException>());
        Assert.That(File.ReadAllText(path), Is.EqualTo("before"));
        Assert.That(Directory.GetFiles(root), Has.Length.EqualTo(1));
    }

    [Test]
    public void Another_model_recipe_or_folder_is_refused()
    {
        string run = Path.Combine(root, "run");
        Complete(run, false);
        TrainerOptions options = TrainingChild.Options(false);
        Assert.Multiple(() =>
        {
            Assert.That(() => Resume(TrainingChild.Config, options with { Dropout = 0 }, run), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("dropout 0.1"));
            Assert.That(() => Resume(TrainingChild.Config with { DState = 8 }, options, run), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("another model"));
            Assert.That(() => Resume(TrainingChild.Config, options, Path.Combine(root, "nothing")), Throws.InstanceOf<DirectoryNotFoundException>());
            Assert.That(() => Resume(TrainingChild.Config, options, null), Throws.InvalidOperationException);
        });

        static void Resume(MambaConfig config, TrainerOptions options, string? folder)
        {
            using Trainer trainer = new(MambaLanguageModel.Create(config, 1), TrainingChild.Documents(), options, folder);
            trainer.Resume();
        }
    }

    /// <summary>The folder of a run that nothing stopped, made once; tests leave it as it is.</summary>
    private string Uninterrupted(bool carry)
    {
        ref string run = ref uninterrupted[carry ? 1 : 0];
        if (run is null)
        {
            run = Path.Combine(shared, carry.ToString());
            Complete(run, carry);
        }

        return run;
    }

    private static void Complete(string run, bool carry) => TrainingChild.Run([run, carry.ToString()]);

    private static void Cancel(CancellationTokenSource source, bool now)
    {
        if (now)
        {
            source.Cancel();
        }
    }

    private static void AssertSameFiles(string expected, string found)
    {
        foreach (string file in Files)
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(TrainingChild.FinalFolder(expected), file));
            Assert.That(File.ReadAllBytes(Path.Combine(TrainingChild.FinalFolder(found), file)).SequenceEqual(bytes), Is.True, file);
        }
    }
}
