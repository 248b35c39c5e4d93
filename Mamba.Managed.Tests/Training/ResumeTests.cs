using System.Diagnostics;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>A run that was stopped, killed or damaged ends with the bytes of one that was not.</summary>
public class ResumeTests
{
    private static readonly string[] Files = ["model.safetensors", "optimiser.safetensors", "checkpoint.json", "config.json"];

    private string root = "";

    [SetUp]
    public void Prepare() => root = Directory.CreateTempSubdirectory("mamba-run-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [Test]
    public void A_stopped_run_goes_on_to_the_same_bytes([Values] bool carry, [Values(1, 7, 29)] int stop)
    {
        string whole = Path.Combine(root, "whole"), parts = Path.Combine(root, "parts");
        Complete(whole, carry);
        using (CancellationTokenSource source = new())
        using (Trainer first = TrainingChild.Create(parts, carry))
        {
            Assert.That(
                () => first.Run(report => Cancel(source, report.Step == stop), source.Token), Throws.InstanceOf<OperationCanceledException>());
        }

        Complete(parts, carry);
        AssertSameFiles(whole, parts);
    }

    [Test]
    public void A_killed_process_goes_on_to_the_same_bytes([Values] bool carry)
    {
        string whole = Path.Combine(root, "whole"), killed = Path.Combine(root, "killed");
        Complete(whole, carry);

        // In the middle of writing a checkpoint, just after one, and at moments of no meaning.
        Kill(() => Directory.Exists(killed) && Directory.GetDirectories(killed, "*.tmp").Length > 0);
        Kill(() => Newest() >= 6);
        Kill(() => Newest() >= 12 && Directory.GetDirectories(killed, "*.tmp").Length > 0);
        Stopwatch watch = Stopwatch.StartNew();
        Kill(() => watch.ElapsedMilliseconds > 250);
        using Process last = Start();
        last.WaitForExit();
        Assert.That(last.ExitCode, Is.Zero);
        AssertSameFiles(whole, killed);

        int Newest() => !Directory.Exists(killed) ? 0 : Directory.GetDirectories(killed).Select(Path.GetFileName)
            .Select(name => int.TryParse(name![5..], out int step) ? step : 0).DefaultIfEmpty(0).Max();

        void Kill(Func<bool> now)
        {
            using Process process = Start();
            while (!process.HasExited && !now())
            {
                Thread.SpinWait(100);
            }

            process.Kill();
            process.WaitForExit();
        }

        Process Start() => Process.Start(new ProcessStartInfo(Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : "dotnet")
        {
            ArgumentList = { typeof(TrainingChild).Assembly.Location, killed, carry.ToString() },
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
            MambaLanguageModel latest = Checkpoint.Load(TrainingChild.FinalFolder(run));
            Assert.That(
                latest.Parameters().Select(p => p.Value.Floats.ToArray()), Is.EqualTo(trainer.Model.Parameters().Select(p => p.Value.Floats.ToArray())));
        }

        string[] kept = [.. Directory.GetDirectories(run).Select(folder => Path.GetFileName(folder)!)];
        Assert.That(kept, Is.EquivalentTo(new HashSet<string> { "step-00000029", "step-00000030", $"step-{best!.Value.Step:D8}" }));
        byte[] weights = File.ReadAllBytes(Path.Combine(run, $"step-{best.Value.Step:D8}", "model.safetensors"));
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")), Is.EqualTo(weights));
        Assert.That(Checkpoint.Load(run).Config.DInner, Is.EqualTo(TrainingChild.Config.DInner));
    }

    [Test]
    public void Another_model_recipe_or_folder_is_refused()
    {
        string run = Path.Combine(root, "run");
        Complete(run, false);
        TrainerOptions options = TrainingChild.Options(false);
        Assert.Multiple(() =>
        {
            Assert.That(() => Resume(TrainingChild.Config, options with { Dropout = 0 }, run), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("recipe"));
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

    private static void Complete(string run, bool carry) => TrainingChild.Main([run, carry.ToString()]);

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
