using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba bench [MODEL]</c> or <c>--shape 130m</c>: speed, beside the measured peak of the machine.</summary>
internal static class BenchCommand
{
    private const string MemoryRemedy = "lower --batch or --length";

    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> shape = new Option<string>("--shape") { Description = "Random weights of a published shape, no file needed." }.AcceptOnlyFromAmong(Shapes.Names);
        Option<int> threads = Options.Threads();
        Option<string> type = new Option<string>("--type") { Description = "How weights are held; without it as in the file, or in f32." }.AcceptOnlyFromAmong(WeightTypes.Names);
        Option<int> promptLength = Options.Number("--prompt-length", "Tokens of the prompt.", InferenceBench.UsualPromptLength, 1, 1 << 24);
        Option<int> sessions = Options.Number("--sessions", "Also measure this many sessions decoded together; 0 for none.", 0, 0, CpuExecutor.MaxBatch);
        Option<int> rounds = Options.Number("--rounds", "Repetitions of each measurement; the best counts.", 3, 1, 1000);
        Option<bool> json = Options.Json();
        Option<bool> train = new("--train") { Description = "Measure training steps instead." };
        Option<int> batch = Options.Number("--batch", "Windows of a training batch.", 4, 1, 1 << 16);
        Option<int> length = Options.Number("--length", "Tokens of a training window.", 128, 1, 1 << 20);
        Command command = new("bench", "Measure prompt and generation speed, or that of training, and what this machine allows.")
        {
            model, shape, threads, type, promptLength, sessions, rounds, json, train, batch, length,
        };
        Option<string> device = DeviceOption.AddTo(command, threads);
        command.Validators.Add(result =>
        {
            if (result.GetResult(shape) is not null && result.GetResult(model) is { Tokens.Count: > 0 })
            {
                result.AddError("expected one of MODEL and --shape, found both");
            }

            bool isTraining = result.GetValue(train);
            foreach (Option option in (Option[])(isTraining ? [type, promptLength, sessions, rounds] : [batch, length]))
            {
                if (result.GetResult(option) is { Implicit: false })
                {
                    result.AddError($"expected {option.Name} {(isTraining ? "without" : "with")} --train, found it {(isTraining ? "with" : "without")}");
                }
            }
        });
        command.SetAction(parsed =>
        {
            string? name = parsed.GetValue(shape);
            string path = Options.ModelOf(parsed, model);
            int count = parsed.GetValue(threads);
            TextWriter output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(train))
            {
                Train(new TrainingDevice(parsed, device));
                return;
            }

            GgufFileType? held = parsed.GetValue(type) is { } typeName ? WeightTypes.Of(typeName) : null;
            int times = parsed.GetValue(rounds);
            long start = Stopwatch.GetTimestamp();
            using IMambaExecutor executor = name is null
                ? Load(path, held, count, Prepare)
                : Prepare(Draw(name, held ?? GgufFileType.F32, count));
            TimeSpan preparation = Stopwatch.GetElapsedTime(start);
            (string runner, Func<InferenceBench.Peak> peak) = executor is CpuExecutor processor
                ? (string.Create(CultureInfo.InvariantCulture, $"threads {processor.Threads}, {CpuExecutor.InstructionSet}"), () => InferenceBench.Peak.OfProcessor(processor.Threads, times))
                : (parsed.GetValue(device)!, (Func<InferenceBench.Peak>)(() => InferenceBench.Peak.Of(DevicePlugin.Load().MeasurePeak(parsed.GetValue(device)!))));
            InferenceBench.Result result = InferenceBench.Measure(
                executor, parsed.GetValue(promptLength), parsed.GetValue(sessions), times, preparation, runner, peak);
            InferenceBench.Print(output, result, parsed.GetValue(json));

            void Train(TrainingDevice trainingDevice)
            {
                (int windows, int tokens) = (parsed.GetValue(batch), parsed.GetValue(length));
                TrainerOptions options = new() { Batch = new() { Windows = windows, Length = tokens }, Threads = count };
                MambaLanguageModel trained = name is null ? Copy(path, options, trainingDevice) : Draw(name, options, trainingDevice);
                using ITrainingEngine engine = trainingDevice.TakeOver(trained, options);
                TrainingBench.Print(output, TrainingBench.Measure(engine, trainingDevice, windows, tokens), parsed.GetValue(json));
            }

            IMambaExecutor Prepare(MambaLanguageModel weights) => DeviceOption.CreateExecutor(parsed, device, count, weights);
        });
        return command;
    }

    private static MambaLanguageModel Draw(string shape, TrainerOptions options, TrainingDevice device)
    {
        TrainSettings.CheckMemory(Shapes.Of(shape), options, device.IsProcessor, MemoryRemedy);
        return MambaLanguageModel.Create(Shapes.Of(shape), 1);
    }

    private static MambaLanguageModel Copy(string path, TrainerOptions options, TrainingDevice device)
    {
        using ModelSource source = ModelSource.Open(path);
        TrainSettings.CheckMemory(source.Config, options, device.IsProcessor, MemoryRemedy);
        return source.Model.CopyToFloat32();
    }

    private static IMambaExecutor Load(string path, GgufFileType? type, int threads, Func<MambaLanguageModel, IMambaExecutor> prepare)
    {
        using ModelSource source = ModelSource.Open(path);
        return prepare(type is { } held ? source.Model.ConvertTo(held, threads, release: true) : source.Model);
    }

    private static MambaLanguageModel Draw(string shape, GgufFileType type, int threads)
    {
        MambaConfig config = Shapes.Of(shape);

        // Looked at first: drawing the weights takes minutes. Block formats take half a byte for a weight, or little more.
        double bytes = config.ParameterCount * (type switch { GgufFileType.F32 => 4.0, GgufFileType.F16 or GgufFileType.BF16 => 2.0, _ => 0.5 });
        double most = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > most)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"--shape {shape}: expected weights that fit {most / 1e9:F1} GB of memory, found that they need {bytes / 1e9:F1} GB; take a smaller shape or --type"));
        }

        return MambaLanguageModel.Create(config, 1, ModelConversion.Converter(type, config, threads));
    }
}
