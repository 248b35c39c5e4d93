using System.Diagnostics;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Training;

namespace Mamba.Managed.Tests.Safety;

/// <summary>What would take the process down if it went wrong, run in a process of its own.</summary>
internal static class OwnershipChild
{
    private const int Rounds = 300;

    /// <summary>Runs a case in a child and asserts that it says nothing and ends well.</summary>
    public static void Run(params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])[typeof(TrainingChild).Assembly.Location, "ownership", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using Process child = Process.Start(start)!;
        Task<string> error = child.StandardError.ReadToEndAsync();
        string output = child.StandardOutput.ReadToEnd() + error.Result;
        child.WaitForExit();
        Assert.That((child.ExitCode, output), Is.EqualTo((0, "")));
    }

    /// <summary>The cases, in the child.</summary>
    public static int Start(string[] arguments)
    {
        switch (arguments)
        {
            case ["load", string path]:
                RequireSame(CpuExecutor.Load(path, 3), path);
                RequireSame(TakenOverInBlocks(path, release: true), path, TakenOverInBlocks(path, release: false));
                break;
            case ["shared"]:
                Shared();
                break;
            case ["open", string path]:
                OpenAgainAndAgain(path);
                break;
            case ["dispose", string path]:
                DisposeWhileReading(path);
                break;
            default:
                Console.WriteLine("expected a case, found " + string.Join(' ', arguments));
                return 2;
        }

        return 0;
    }

    private static CpuExecutor TakenOverInBlocks(string path, bool release)
    {
        using ModelSource source = ModelSource.Open(path);
        return CpuExecutor.TakeOver(source.Model.ConvertTo(GgufFileType.Q8_0, 2, release), 2);
    }

    private static void RequireSame(CpuExecutor found, string path, CpuExecutor? expected = null)
    {
        using ModelSource source = ModelSource.Open(path);
        expected ??= new CpuExecutor(source.Model, 1);
        using (found)
        using (expected)
        {
            Console.Write(Logits(found).AsSpan().SequenceEqual(Logits(expected)) ? "" : "expected the logits of a model that is not taken over, found others");
        }
    }

    private static float[] Logits(CpuExecutor executor)
    {
        float[] logits = new float[executor.Config.VocabSize];
        executor.Prefill([1, 2, 3, 4, 5], executor.CreateState(), logits);
        return logits;
    }

    // One tensor in two layers, and one buffer under two tensors.
    private static void Shared()
    {
        for (int round = 0; round < 20; round++)
        {
            MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 64, NLayer = 4, VocabSize = 64 }, 1);
            SelectiveStateSpaceModel first = model.Layers[0].Mixer;
            model = model.Map("", (path, tensor) =>
                path.EndsWith("in_proj.weight", StringComparison.Ordinal) ? first.InProj.Weight
                : path.EndsWith("out_proj.weight", StringComparison.Ordinal) ? first.OutProj.Weight.Reshape(tensor.Shape)
                : tensor);
            using CpuExecutor expected = new(model, 2), found = CpuExecutor.TakeOver(model, 4);
            Console.Write(Logits(found).AsSpan().SequenceEqual(Logits(expected)) ? "" : "found other logits");
        }
    }

    private static void OpenAgainAndAgain(string path)
    {
        (int Maps, int Handles) before = default;
        for (int round = 0; round < Rounds; round++)
        {
            using (ModelSource source = ModelSource.Open(path))
            {
                _ = source.Tokenizer.VocabularySize + source.Model.Parameters().Count;
            }

            before = round == 20 ? Count() : before;
        }

        // Mappings and handles of the model alone: the runtime maps files of its own as it goes.
        (int Maps, int Handles) after = Count();
        Console.Write(after.Maps - before.Maps < 5 && after.Handles - before.Handles < 5 ? "" : $"found {before} and after {Rounds} rounds {after}");

        (int Maps, int Handles) Count() => !OperatingSystem.IsLinux() ? default
            : (File.ReadLines("/proc/self/maps").Count(line => line.Contains(path, StringComparison.Ordinal)),
                new DirectoryInfo("/proc/self/fd").EnumerateFileSystemInfos().Count(handle => handle.LinkTarget?.StartsWith(path, StringComparison.Ordinal) == true));
    }

    private static void DisposeWhileReading(string path)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ModelSource source = ModelSource.Open(path);
            Tensor[] tensors = [.. source.Model.Parameters().Select(parameter => parameter.Value)];
            using Barrier start = new(2);
            Thread reader = new(() =>
            {
                start.SignalAndWait();
                try
                {
                    foreach (Tensor tensor in tensors)
                    {
                        _ = tensor.ToArray();
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            });
            reader.Start();
            start.SignalAndWait();
            Thread.SpinWait(round * 100);
            source.Dispose();
            reader.Join();
        }
    }
}
